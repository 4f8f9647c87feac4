/** Which drawer or dialog of the courtroom is open; and the Alt keys. Shared by desk and phone. */
import { inject, type InjectionKey, onScopeDispose, provide, reactive } from "vue";

import { nextStage } from "@/court/screen";

import type { Courtroom } from "./useCourtroom";

export type Drawer = "exhibits" | "people" | "quality" | "hearBack" | "help" | "captions" | "hand" | "exhibit" | "more" | "devices" | "camera" | "";
export type MoveDialog = "open" | "adjourn" | "resume" | "close" | "";

export interface RoomPanels {
  drawer: Drawer;
  move: MoveDialog;
}

const KEY: InjectionKey<RoomPanels> = Symbol("room panels");

export function providePanels(room: Courtroom): RoomPanels {
  const panels = reactive<RoomPanels>({ drawer: "", move: "" });
  const toggle = (drawer: Drawer) => (panels.drawer = panels.drawer === drawer ? "" : drawer);
  const keys: Record<string, () => void> = {
    KeyM: () => room.may("microphone.set") && !room.me.value?.court_muted && void room.setMicrophone(!!room.me.value?.microphone_off),
    KeyV: () => (room.may("camera.set") ? void room.setCamera(!!room.me.value?.camera_off) : room.may("camera.request_leave") && toggle("camera")),
    KeyH: () => room.may("hand.raise") && toggle("hand"),
    KeyE: () => toggle("exhibits"),
    KeyL: () => toggle("captions"),
    KeyN: () => {
      const next = room.sitting.value && nextStage(room.sitting.value.stage);
      if (next && room.may("stage.go") && !panels.move) void room.give("stage.go", { stage: next });
    },
  };
  const pressed = (event: KeyboardEvent) => {
    const act = keys[event.code];
    if (!act || !event.altKey || event.ctrlKey || event.metaKey || event.isComposing || event.repeat) return;
    event.preventDefault();
    act();
  };
  window.addEventListener("keydown", pressed);
  onScopeDispose(() => window.removeEventListener("keydown", pressed));
  provide(KEY, panels);
  return panels;
}

export function usePanels(): RoomPanels {
  const panels = inject(KEY);
  if (!panels) throw new Error("no panels are provided above this component");
  return panels;
}
