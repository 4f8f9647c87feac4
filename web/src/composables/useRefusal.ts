/** A refusal or a failure in words: the server's own sentence where it sent one, ours where nothing came through. */
import { useI18n } from "vue-i18n";

import { CourtError } from "@/court/api";

export function useRefusal(): (error: unknown) => string {
  const { t, te } = useI18n();
  return (error) => {
    if (!(error instanceof CourtError)) throw error;
    const own = `common.errors.${error.code}`;
    return error.message || (te(own) ? t(own) : t("common.errors.unknown"));
  };
}
