/** The draft in the courtroom: corrections go over the socket, and come back to everybody as events. */
import { computed } from "vue";

import { api } from "@/court/api";
import type { LineHistory } from "@/protocol";

import type { Courtroom } from "./useCourtroom";
import { provideDraft } from "./useDraft";

export function provideRoomDraft(room: Courtroom) {
  const address = () => `/api/sittings/${encodeURIComponent(room.sitting.value?.id ?? "")}/draft/history`;
  return provideDraft({
    may: computed(() => room.may("draft.replace")),
    people: computed(() => room.sitting.value?.participants ?? []),
    lines: computed(() => room.state.value.captions),
    port: {
      replace: (line, text) => room.correct("draft.replace", { line_id: line.id, based_on: line.revision, text }),
      split: (line, at) => room.correct("draft.split", { line_id: line.id, based_on: line.revision, at }),
      merge: (line, other) => room.correct("draft.merge", { line_id: line.id, based_on: line.revision, other_id: other.id, other_based_on: other.revision }),
      setSpeaker: (line, participant_id) => room.correct("draft.speaker", { line_id: line.id, based_on: line.revision, participant_id }),
      history: (line) => api.get<LineHistory>(`${address()}?line=${encodeURIComponent(line.id)}`),
    },
  });
}
