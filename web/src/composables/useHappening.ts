/** One line that says what is happening in the courtroom now. */
import { computed, type ComputedRef } from "vue";
import { useI18n } from "vue-i18n";

import { useRoom } from "./useCourtroom";

/** `part`: also say which part is held; a page that marks it elsewhere leaves it out. */
export function useHappening({ part: told = true } = {}): ComputedRef<string> {
  const { sitting, people } = useRoom();
  const { t } = useI18n();
  return computed(() => {
    const s = sitting.value;
    if (!s) return "";
    if (s.state === "scheduled") return t("courtroom.now.scheduled");
    if (s.state === "lobby") return t("courtroom.now.lobby");
    if (s.state === "recess") return t("courtroom.now.recess");
    if (s.state === "tech_suspended") return t("courtroom.now.suspended");
    const part = s.part === "open" ? "" : t("courtroom.part.of", { part: t(`courtroom.part.name.${s.part}`), kept: t(`courtroom.part.kept.${s.part_recorded}`) });
    const sharer = s.screen ? people.value.get(s.screen) : undefined;
    if (sharer) return t("courtroom.screen.of", { who: `${t(`court.role.${sharer.role}`)} ${sharer.name}` });
    const exhibit = s.exhibits.find((e) => e.id === s.showing?.exhibit_id);
    if (exhibit) return t("courtroom.now.showing", { number: exhibit.number, title: exhibit.title });
    if (told && part) return part;
    return t("courtroom.now.stage", { stage: t(`court.stage.${s.stage}`) });
  });
}
