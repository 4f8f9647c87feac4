import { common } from "./common";
import { court } from "./court";
import { courtroom } from "./courtroom";
import { devices } from "./devices";
import { lobby } from "./lobby";

export const zhCN = { common, court, courtroom, devices, lobby };
