/** Whether a media query holds, as a reactive value. */
import { onScopeDispose, readonly, ref, type Ref } from "vue";

export function useMedia(query: string): Readonly<Ref<boolean>> {
  const list = window.matchMedia(query);
  const holds = ref(list.matches);
  const changed = () => (holds.value = list.matches);
  list.addEventListener("change", changed);
  onScopeDispose(() => list.removeEventListener("change", changed));
  return readonly(holds);
}
