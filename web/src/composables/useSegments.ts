/** Where the replay gets its segments: index and bytes from the server, and what is wrong with the way there. */
import { ref, type Ref } from "vue";

import { api, CourtError, refusal } from "@/court/api";
import { SegmentIndex } from "@/court/segment-index";
import { NotNow, type SegmentSource } from "@/court/segmented-track";
import type { RecordView, SegmentPage } from "@/protocol";

/** "": all is well; offline: the server cannot be reached; gone: it no longer answers this person. */
export type Trouble = "" | "offline" | "gone";

/** A request answered in this way may be answered differently a moment later. */
const passing = (error: CourtError) => error.code === "offline" || error.status >= 500 || error.status === 429;

export function useSegments(record: RecordView, changed: () => void): { index: SegmentIndex; source: SegmentSource; trouble: Ref<Trouble> } {
  const sitting = `/api/sittings/${encodeURIComponent(record.sitting_id)}`;
  const trouble = ref<Trouble>("");

  async function reached<T>(asking: Promise<T>): Promise<T> {
    try {
      const answer = await asking;
      trouble.value = "";
      return answer;
    } catch (error) {
      if (error instanceof CourtError && error.code === "offline") trouble.value = "offline";
      else if (error instanceof CourtError && [401, 403].includes(error.status)) trouble.value = "gone";
      throw error;
    }
  }

  /** The view id goes along so that the access log knows which opening of the page this was. */
  async function bytes(track_id: string, number: number, signal: AbortSignal): Promise<ArrayBuffer> {
    const url = `${sitting}/tracks/${encodeURIComponent(track_id)}/segments/${String(number).padStart(6, "0")}.webm`;
    try {
      const response = await fetch(url, { credentials: "same-origin", signal, headers: { "X-Court-View": record.view_id } });
      if (!response.ok) throw await refusal(response);
      return await response.arrayBuffer();
    } catch (error) {
      throw error instanceof CourtError || signal.aborted ? error : new CourtError("offline", "");
    }
  }

  const index = new SegmentIndex((page) => reached(api.get<SegmentPage>(`${sitting}/segments/${page}`)), record.page_ms, changed);
  const source: SegmentSource = {
    knows: (t_ms) => index.knows(t_ms),
    of: (track_id) => index.of(track_id),
    changed,
    fetch: (track_id, number, signal) =>
      reached(bytes(track_id, number, signal)).catch((error: unknown) => {
        throw error instanceof CourtError && passing(error) ? new NotNow() : error;
      }),
  };
  return { index, source, trouble };
}
