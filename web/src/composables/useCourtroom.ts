/** Thin bridge from src/court to the courtroom page: one seat in one sitting, as reactive values. */
import { computed, type ComputedRef, inject, type InjectionKey, onScopeDispose, provide, reactive, ref, type ShallowRef, shallowRef, watch } from "vue";

import { CourtError } from "@/court/api";
import type { Received } from "@/court/leg";
import { myself, Seat, wantsMedia } from "@/court/seat";
import { type CourtState, EMPTY } from "@/court/state";
import type { PictureKind } from "@/court/views";
import { ScreenAwake } from "@/court/wakelock";
import type { CommandFields, CommandName, ParticipantView } from "@/protocol";

import { exposeForTests } from "./debugHandle";
import { type OwnDevices, useDevices } from "./useDevices";
import { useDifficulties } from "./useDifficulties";
import { useScreen } from "./useScreen";
import { useTicking } from "./useTicking";

const ASLEEP_MS = 3_000; // away for longer, a phone may have dropped its connections

export interface Streams {
  audio: MediaStream | null;
  video: MediaStream | null;
  screen: MediaStream | null;
}

export type StreamMap = ReadonlyMap<string, Streams>;

function groupStreams(received: readonly Received[], before: StreamMap): StreamMap {
  const streams = new Map<string, Streams>();
  for (const { participantId, kind, track } of received) {
    const entry = streams.get(participantId) ?? { audio: null, video: null, screen: null };
    const kept = before.get(participantId)?.[kind]; // the same object, so that the player does not restart
    entry[kind] = kept?.getTracks()[0] === track ? kept : new MediaStream([track]);
    streams.set(participantId, entry);
  }
  return streams;
}

/** Give commands; remembers which are under way and the last refusal. */
function useCommands(seat: Seat) {
  const busy = reactive(new Set<CommandName>());
  const refusal = ref<{ name: CommandName; error: CourtError } | null>(null);

  /** True when the command was accepted; a refusal is kept to be shown. */
  async function give<Name extends CommandName>(name: Name, fields: CommandFields<Name>): Promise<boolean> {
    busy.add(name);
    try {
      await seat.give(name, fields);
      if (refusal.value?.name === name) refusal.value = null;
      return true;
    } catch (error) {
      refusal.value = { name, error: error instanceof CourtError ? error : new CourtError("unknown", "") };
      return false;
    } finally {
      busy.delete(name);
    }
  }
  return { busy, refusal, give };
}

/** Own microphone and camera: what the device does follows what the court knows. */
function useOwnMedia(seat: Seat, me: ComputedRef<ParticipantView | null>, give: ReturnType<typeof useCommands>["give"]) {
  const held = ref(false); // while something is played here that nobody else may hear from this room
  const heard = computed(() => !!me.value && !me.value.microphone_off && !me.value.court_muted && !held.value);
  const holdMicrophone = (hold: boolean) => void (held.value = hold);
  const devices: OwnDevices = useDevices((kind, track) => {
    if (kind === "audio" && track) track.enabled = heard.value;
    void seat.peer.send(kind, track);
  });
  const microphone = devices.tracks.audio;

  function follow(): void {
    if (microphone.value) microphone.value.enabled = heard.value;
  }
  watch(heard, follow);

  async function setMicrophone(on: boolean): Promise<void> {
    if (!on && microphone.value) microphone.value.enabled = false; // at once, whatever the network does
    if (on && !microphone.value) await devices.open("audio");
    await give("microphone.set", { on });
    follow();
  }

  async function setCamera(on: boolean): Promise<void> {
    if (on) await devices.open("video");
    await give("camera.set", { on });
  }
  watch(() => me.value?.camera_off, (off) => off && devices.close("video")); // also when leave was given: the light goes out

  /** Open what is not open yet, on entering the courtroom. */
  function openAll(): void {
    if (!microphone.value) void devices.open("audio");
    if (!devices.tracks.video.value && !me.value?.camera_off) void devices.open("video");
  }
  return { devices, setMicrophone, setCamera, openAll, holdMicrophone };
}

export function useCourtroom(sittingId: string) {
  const state: ShallowRef<CourtState> = shallowRef(EMPTY);
  const streams = shallowRef<StreamMap>(new Map());
  const seat = new Seat(sittingId, {
    changed: (next) => (state.value = next),
    received: (tracks) => (streams.value = groupStreams(tracks, streams.value)),
  });
  const sitting = computed(() => state.value.sitting);
  const people = computed<ReadonlyMap<string, ParticipantView>>(() => new Map(sitting.value?.participants.map((p) => [p.id, p])));
  const me = computed(() => myself(sitting.value));
  const may = (name: CommandName) => sitting.value?.allowed.includes(name) ?? false;
  const commands = useCommands(seat);
  const own = useOwnMedia(seat, me, commands.give);
  const screen = useScreen(seat, sitting, commands.give);
  useDifficulties({
    sitting,
    me,
    devices: own.devices,
    give: commands.give,
    cameBack: (awayMs) => {
      void own.devices.resume();
      if (awayMs > ASLEEP_MS) seat.wake();
    },
  });
  const inside = computed(() => wantsMedia(state.value) && may("microphone.set"));
  watch(inside, (now) => now && own.openAll());

  const awake = new ScreenAwake();
  const hide = exposeForTests(seat, streams);
  awake.start();
  seat.start();
  onScopeDispose(() => {
    hide();
    seat.stop();
    awake.stop();
  });
  /** Ask the server for a picture as long and as large as `element` shows it. Returns the function that ends this. */
  const watchPicture = (element: Element, participantId: string, kind: PictureKind) => seat.views.watch(element, participantId, kind);
  const correct: Seat["correct"] = (name, fields) => seat.correct(name, fields);
  return { correct, state, sitting, me, people, streams, clock: seat.clock, now: useTicking(), may, watchPicture, screen, ...commands, ...own };
}

export type Courtroom = ReturnType<typeof useCourtroom>;

const KEY: InjectionKey<Courtroom> = Symbol("courtroom");

export function provideCourtroom(courtroom: Courtroom): void {
  provide(KEY, courtroom);
}

/** The courtroom that the page above provides. */
export function useRoom(): Courtroom {
  const courtroom = inject(KEY);
  if (!courtroom) throw new Error("no courtroom is provided above this component");
  return courtroom;
}

/** For pictures that also stand outside a courtroom, where nothing has to be asked for. */
export const useRoomIfAny = (): Courtroom | null => inject(KEY, null);
