/** A stretch of time in words: 4 分 10 秒. */
import { useI18n } from "vue-i18n";

import { lengthParts } from "@/court/court-time";

export function useLength(): (ms: number) => string {
  const { t } = useI18n();
  return (ms) => {
    const { hours: h, minutes: m, seconds: s } = lengthParts(ms);
    if (h > 0) return t("record.length.hms", { h, m, s });
    return m > 0 ? t("record.length.ms", { m, s }) : t("record.length.s", { s });
  };
}
