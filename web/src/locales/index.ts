/** All words people read. One file per page area; pages hold no text of their own. */
import { createI18n } from "vue-i18n";

import { zhCN } from "./zh-CN";

export const i18n = createI18n({
  legacy: false,
  locale: "zh-CN",
  fallbackLocale: "zh-CN",
  messages: { "zh-CN": zhCN },
  missingWarn: true,
});
