/** Thin bridge from src/court to the courtroom page: one seat in one sitting, as reactive values. */
import { computed, inject, type InjectionKey, onScopeDispose, provide, reactive, ref, shallowRef, watch } from "vue";

import { CourtError } from "@/court/api";
import { CourtClock } from "@/court/clock";
import { CourtConnection, type ConnectionListener } from "@/court/connection";
import type { Received } from "@/court/leg";
import { CourtPeer } from "@/court/peer";
import { type CourtEvent, type CourtState, EMPTY, reduce } from "@/court/state";
import { ScreenAwake } from "@/court/wakelock";
import type { CommandFields, CommandName, ParticipantView, SittingView } from "@/protocol";

import { exposeForTests } from "./debugHandle";
import { useDevices } from "./useDevices";
import { useTicking } from "./useTicking";

export interface Streams {
  audio: MediaStream | null;
  video: MediaStream | null;
}

const LIVE_STATES = new Set(["lobby", "in_session", "recess", "tech_suspended"]);

/** Whether this seat should hold a media connection: only in the courtroom, so that an isolated witness has none. */
function wantsMedia(sitting: SittingView | null): boolean {
  const me = sitting?.participants.find((p) => p.id === sitting.me);
  return !!sitting && me?.place === "courtroom" && LIVE_STATES.has(sitting.state);
}

function groupStreams(received: readonly Received[], before: ReadonlyMap<string, Streams>): Map<string, Streams> {
  const streams = new Map<string, Streams>();
  for (const { participantId, kind, track } of received) {
    const entry = streams.get(participantId) ?? { audio: null, video: null };
    const kept = before.get(participantId)?.[kind]; // the same object, so that the player does not restart
    entry[kind] = kept?.getTracks()[0] === track ? kept : new MediaStream([track]);
    streams.set(participantId, entry);
  }
  return streams;
}

export function useCourtroom(sittingId: string) {
  const state = shallowRef<CourtState>(EMPTY);
  const streams = shallowRef<ReadonlyMap<string, Streams>>(new Map());
  const clock = new CourtClock();
  const now = useTicking();
  const busy = reactive(new Set<CommandName>());
  const refusal = ref<{ name: CommandName; error: CourtError } | null>(null);
  const awake = new ScreenAwake();

  const dispatch = (event: CourtEvent) => (state.value = reduce(state.value, event));
  const took = (sitting: SittingView) => clock.sync(sitting, Date.now());

  const listener: ConnectionListener = {
    phase: (phase, error) => dispatch({ type: "connection", phase, error }),
    joined: (joined) => {
      took(joined.sitting);
      peer.configure(joined.ice_servers, joined.relay_only);
      dispatch({ type: "joined", joined, atMs: Date.now() });
    },
    event: (name, body) => {
      const message = { name, body } as Parameters<typeof onMessage>[0];
      onMessage(message);
    },
  };
  const connection = new CourtConnection(sittingId, listener);
  const peer = new CourtPeer(
    {
      connect: () => connection.send("media.connect", {}),
      answer: (peer_id, leg, revision, sdp) => connection.send("media.answer", { peer_id, connection: leg, revision, sdp }),
      restartIce: (peer_id, leg) => connection.send("media.restart_ice", { peer_id, connection: leg }),
      disconnect: (peer_id) => connection.send("media.disconnect", { peer_id }),
    },
    {
      received: (tracks) => (streams.value = groupStreams(tracks, streams.value)),
      phase: (phase) => dispatch({ type: "media", phase }),
    },
  );
  const devices = useDevices((kind, track) => {
    if (kind === "audio" && track) track.enabled = heard.value;
    void peer.send(kind, track);
  });

  type EventMap = import("@/protocol").ServerToClientEvents;
  type Message = { [Name in keyof EventMap]: { name: Name; body: Parameters<EventMap[Name]>[0] } }[keyof EventMap];
  function onMessage({ name, body }: Message): void {
    if (name === "media.offered") peer.offered(body);
    else if (name === "media.lost") peer.lost(body.reason);
    else if (name === "quality.measured") dispatch({ type: name, quality: body });
    else if (name === "caption.added") dispatch({ type: name, ...body });
    else if (name === "speaking.changed") dispatch({ type: name, ...body });
    else if (name === "sitting.updated") {
      took(body.sitting);
      dispatch({ type: name, sitting: body.sitting, atMs: Date.now() });
    }
  }

  const sitting = computed(() => state.value.sitting);
  const people = computed<ReadonlyMap<string, ParticipantView>>(() => new Map(sitting.value?.participants.map((p) => [p.id, p])));
  const me = computed(() => people.value.get(sitting.value?.me ?? "") ?? null);
  const heard = computed(() => !!me.value && !me.value.microphone_off && !me.value.court_muted);
  const may = (name: CommandName) => sitting.value?.allowed.includes(name) ?? false;

  /** Give a command and show its refusal; true when it was accepted. */
  async function give<Name extends CommandName>(name: Name, fields: CommandFields<Name>): Promise<boolean> {
    busy.add(name);
    try {
      await connection.send(name, fields);
      if (refusal.value?.name === name) refusal.value = null;
      return true;
    } catch (error) {
      refusal.value = { name, error: error instanceof CourtError ? error : new CourtError("unknown", "") };
      return false;
    } finally {
      busy.delete(name);
    }
  }

  watch(() => state.value.captions, (lines) => (connection.captionsAfterMs = lines.length ? Math.max(0, (lines.at(-1)?.t0_ms ?? 0) - 60_000) : null));
  watch(heard, (on) => devices.tracks.audio.value && (devices.tracks.audio.value.enabled = on));
  watch(() => wantsMedia(sitting.value) && state.value.phase !== "replaced", (wanted) => (wanted ? peer.start() : peer.stop()));
  watch(
    () => wantsMedia(sitting.value),
    (wanted) => {
      if (!wanted) return;
      if (!devices.tracks.audio.value) void devices.open("audio");
      if (!devices.tracks.video.value && !me.value?.camera_off) void devices.open("video");
    },
  );

  const online = () => {
    connection.nudge();
    peer.networkChanged();
  };
  const offline = () => connection.noticeOffline();
  window.addEventListener("online", online);
  window.addEventListener("offline", offline);
  connection.start();
  awake.start();
  const hide = exposeForTests(peer, state);
  onScopeDispose(() => {
    window.removeEventListener("online", online);
    window.removeEventListener("offline", offline);
    hide();
    peer.stop();
    connection.stop();
    awake.stop();
  });

  async function setMicrophone(on: boolean): Promise<void> {
    const track = devices.tracks.audio.value;
    if (!on && track) track.enabled = false; // at once, whatever the network does
    if (on && !track) await devices.open("audio");
    await give("microphone.set", { on });
    if (devices.tracks.audio.value) devices.tracks.audio.value.enabled = heard.value;
  }

  async function setCamera(on: boolean): Promise<void> {
    if (on) await devices.open("video");
    else devices.close("video");
    await give("camera.set", { on });
  }

  return { state, sitting, me, people, streams, devices, clock, now, busy, refusal, may, give, setMicrophone, setCamera };
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
