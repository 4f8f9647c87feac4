/** Local time (Unix ms), ticking; for clocks and waiting times. */
import { onScopeDispose, ref, type Ref } from "vue";

export function useTicking(everyMs = 500): Ref<number> {
  const now = ref(Date.now());
  const timer = setInterval(() => (now.value = Date.now()), everyMs);
  onScopeDispose(() => clearInterval(timer));
  return now;
}
