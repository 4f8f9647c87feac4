/** Two fingers change `zoom` between `min` and `max`; double tap goes back and forth. */
import type { Ref } from "vue";

export function usePinch(zoom: Ref<number>, min: number, max: number) {
  const fingers = new Map<number, PointerEvent>();
  let startDistance = 0;
  let startZoom = 1;

  const distance = () => {
    const [a, b] = [...fingers.values()];
    return a && b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
  };
  const up = (event: PointerEvent) => fingers.delete(event.pointerId);

  return {
    pointerdown: (event: PointerEvent) => {
      if (event.pointerType !== "touch") return;
      fingers.set(event.pointerId, event);
      startDistance = distance();
      startZoom = zoom.value;
    },
    pointermove: (event: PointerEvent) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event);
      if (fingers.size === 2 && startDistance > 0) zoom.value = Math.min(max, Math.max(min, (startZoom * distance()) / startDistance));
    },
    pointerup: up,
    pointercancel: up,
    dblclick: () => {
      zoom.value = zoom.value > min ? min : 2;
    },
  };
}
