/** Tells the server what was played (AV-10), and remembers here where this reader stopped. */
import { onScopeDispose, ref, watch, type Ref } from "vue";

import { api, csrfToken } from "@/court/api";
import { PlayedLog } from "@/court/played";
import type { RecordView } from "@/protocol";

import type { ReplayHandle } from "./useReplay";

const REPORT_MS = 15_000;
/** A place this close to the beginning or the end is not worth returning to. */
const EDGE_MS = 10_000;

export function useViewing(record: RecordView, replay: ReplayHandle): { resumed_ms: Ref<number | null> } {
  const played = new PlayedLog();
  const address = `/api/sittings/${encodeURIComponent(record.sitting_id)}/views/${record.view_id}`;
  const place = `court.replay.${record.sitting_id}`;
  const resumed_ms = ref(placeBefore());

  function placeBefore(): number | null {
    const kept = Number(stored() ?? Number.NaN);
    return kept > EDGE_MS && kept < record.duration_ms - EDGE_MS ? kept : null;
  }

  /** Storage may be refused by the browser; then every visit begins at the beginning. */
  function stored(): string | null {
    try {
      return localStorage.getItem(place);
    } catch {
      return null;
    }
  }

  function keepPlace(): void {
    try {
      localStorage.setItem(place, String(Math.round(replay.t_ms.value)));
    } catch {
      return;
    }
  }

  async function report(): Promise<void> {
    const spans = played.take();
    if (spans.length) await api.post(address, { spans }).catch(() => played.giveBack(spans));
  }

  /** The page goes away: `keepalive` lets the last report outlive it. */
  function last(): void {
    if (document.visibilityState === "visible") return;
    keepPlace();
    const spans = played.take();
    if (!spans.length) return;
    const headers = { "Content-Type": "application/json", "X-CSRF-Token": csrfToken() };
    fetch(address, { method: "POST", keepalive: true, credentials: "same-origin", headers, body: JSON.stringify({ spans }) }).catch(() => played.giveBack(spans));
  }

  watch([replay.t_ms, replay.state], ([t_ms, state]) => played.note(t_ms, state === "playing"), { flush: "sync" });
  watch(replay.state, (state) => {
    if (state === "playing" || state === "waiting") return;
    keepPlace();
    void report();
  });
  const timer = setInterval(() => {
    if (replay.state.value === "playing") keepPlace();
    void report();
  }, REPORT_MS);
  document.addEventListener("visibilitychange", last);
  onScopeDispose(() => {
    clearInterval(timer);
    document.removeEventListener("visibilitychange", last);
    if (replay.t_ms.value > EDGE_MS) keepPlace();
    void report();
  });
  return { resumed_ms };
}
