/** The wall clock as a value that changes while the page is open. */
import { onScopeDispose, readonly, ref, type Ref } from "vue";

export function useNow(every_ms: number): Readonly<Ref<Date>> {
  const now = ref(new Date());
  const timer = setInterval(() => (now.value = new Date()), every_ms);
  onScopeDispose(() => clearInterval(timer));
  return readonly(now) as Readonly<Ref<Date>>;
}
