/** The draft on the record page: corrections go over HTTP, and the page's own lines follow the answer. */
import { type ComputedRef } from "vue";

import { api } from "@/court/api";
import { newCommandId } from "@/court/connection";
import type { Ack, CaptionsEdited, CaptionView, LineHistory, ParticipantView } from "@/protocol";

import { provideDraft } from "./useDraft";

interface Source {
  sitting_id: string;
  may: ComputedRef<boolean>;
  people: ComputedRef<readonly ParticipantView[]>;
  lines: ComputedRef<readonly CaptionView[]>;
  took: (edits: CaptionsEdited) => void;
  stale: () => void;
}

export function provideRecordDraft(source: Source) {
  const address = `/api/sittings/${encodeURIComponent(source.sitting_id)}/draft`;

  async function send(act: string, line: CaptionView, fields: Record<string, unknown>): Promise<CaptionsEdited> {
    const body = { command_id: newCommandId(), line_id: line.id, based_on: line.revision, ...fields };
    return (await api.post<Ack>(`${address}/${act}`, body)).edited ?? { captions: [], gone: [] };
  }

  return provideDraft({
    ...source,
    port: {
      replace: (line, text) => send("replace", line, { text }),
      split: (line, at) => send("split", line, { at }),
      merge: (line, other) => send("merge", line, { other_id: other.id, other_based_on: other.revision }),
      setSpeaker: (line, participant_id) => send("speaker", line, { participant_id }),
      history: (line) => api.get<LineHistory>(`${address}/history?line=${encodeURIComponent(line.id)}`),
    },
  });
}
