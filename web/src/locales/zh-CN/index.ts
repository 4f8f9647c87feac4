import { common } from "./common";
import { court } from "./court";
import { courtroom } from "./courtroom";
import { devices } from "./devices";
import { docket } from "./docket";
import { draft } from "./draft";
import { entry } from "./entry";
import { exhibits } from "./exhibits";
import { hearBack } from "./hear-back";
import { hearing } from "./hearing";
import { lobby } from "./lobby";
import { network } from "./network";
import { preflight } from "./preflight";
import { quality } from "./quality";
import { record } from "./record";

export const zhCN = { common, court, courtroom, devices, docket, draft, entry, exhibits, hearBack, hearing, lobby, network, preflight, quality, record };
