/** What one person's tile shows and offers; offers come only from `sitting.allowed`. */
import { computed } from "vue";
import { useI18n } from "vue-i18n";

import { sideOf } from "@/court/seats";
import type { Difficulty, ParticipantView } from "@/protocol";

import { type Courtroom, useRoom } from "./useCourtroom";

export interface Act {
  key: "give" | "take" | "mute" | "unmute" | "exclude" | "admit" | "call" | "dismiss" | "allowPresent" | "stopPresent" | "allowCameraOff" | "refuseCameraOff" | "endCameraLeave" | "attend" | "unattend";
  icon: string;
  run(): void;
}

const ICONS: Record<Difficulty, string> = { camera: "cam-off", microphone: "mic-off", background: "warn" };

export interface Flag {
  kind: "warn" | "bad" | "info";
  icon: string;
  text: string;
}

function speechActs(room: Courtroom, person: ParticipantView): Act[] {
  const { may, give, sitting } = room;
  const to = { participant_id: person.id };
  const acts: Act[] = [];
  const onBench = sideOf(person, sitting.value?.participants ?? []) === "bench";
  if (sitting.value?.floor === person.id && may("floor.open")) acts.push({ key: "take", icon: "undo", run: () => void give("floor.open", {}) });
  else if (may("floor.give") && !onBench) acts.push({ key: "give", icon: "mic", run: () => void give("floor.give", to) });
  if (person.court_muted && may("participant.unmute")) acts.push({ key: "unmute", icon: "speaker", run: () => void give("participant.unmute", to) });
  else if (!person.court_muted && may("participant.mute")) acts.push({ key: "mute", icon: "mic-lock", run: () => void give("participant.mute", to) });
  if (may("exhibit.allow") && !onBench && !["witness", "expert", "interpreter"].includes(person.role)) {
    const key = person.may_present ? "stopPresent" : "allowPresent";
    acts.push({ key, icon: "doc", run: () => void give("exhibit.allow", { ...to, allowed: !person.may_present }) });
  }
  return acts;
}

function cameraActs({ may, give, sitting }: Courtroom, person: ParticipantView): Act[] {
  if (!may("camera.allow_off")) return [];
  const rule = (allowed: boolean) => () => void give("camera.allow_off", { participant_id: person.id, allowed });
  if (person.camera_leave) return [{ key: "endCameraLeave", icon: "cam", run: rule(false) }];
  if (!sitting.value?.camera_requests.some((r) => r.participant_id === person.id)) return [];
  return [{ key: "allowCameraOff", icon: "cam-off", run: rule(true) }, { key: "refuseCameraOff", icon: "cam", run: rule(false) }];
}

/** Every act that the viewer may do to this person now. */
export function actsOn(room: Courtroom, person: ParticipantView): Act[] {
  const { may, give, me } = room;
  const to = { participant_id: person.id };
  if (person.id === me.value?.id || person.role === "observer") return [];
  const summoned = person.role === "witness" || person.role === "expert";
  if (person.place === "isolated") return may("witness.call") ? [{ key: "call", icon: "bell", run: () => void give("witness.call", to) }] : [];
  if (person.place === "waiting") return may("participant.admit") ? [{ key: "admit", icon: "door", run: () => void give("participant.admit", to) }] : [];
  if (person.place !== "courtroom") return [];
  const acts = [...speechActs(room, person), ...cameraActs(room, person)];
  if (summoned && may("witness.dismiss")) acts.push({ key: "dismiss", icon: "door", run: () => void give("witness.dismiss", to) });
  const onBench = sideOf(person, room.sitting.value?.participants ?? []) === "bench";
  if (!summoned && !onBench && may("participant.exclude")) acts.push({ key: "exclude", icon: "door", run: () => void give("participant.exclude", to) });
  return acts;
}

export function useTile(person: () => ParticipantView) {
  const room = useRoom();
  const { t } = useI18n();
  const { state, sitting, streams, devices, now } = room;
  const isMe = computed(() => person().id === sitting.value?.me);
  const own = computed(() => (devices.tracks.video.value ? new MediaStream([devices.tracks.video.value]) : null));
  const inside = computed(() => person().place === "courtroom" && (person().present || isMe.value));
  const paused = computed(() => sitting.value?.state === "recess" || sitting.value?.state === "tech_suspended");
  const picture = computed(() => {
    if (paused.value || !inside.value || person().camera_off) return null;
    return isMe.value ? own.value : (streams.value.get(person().id)?.video ?? null);
  });
  /** Why the server sends no new pictures of this person now; the last one stays. The voice goes on. */
  const held = computed(() => {
    const kept = isMe.value ? undefined : state.value.layers.find((l) => l.participant_id === person().id && l.kind === "video" && l.layer === "paused");
    return kept && picture.value ? (kept.reason || "hidden") : null;
  });
  const speaking = computed(() => inside.value && state.value.speaking.has(person().id) && !person().microphone_off && !person().court_muted);

  const blank = computed(() => {
    const { place, present, id, camera_off } = person();
    if (place === "isolated") return { icon: "door", title: t("courtroom.tile.isolated"), note: t("courtroom.tile.isolatedNote") };
    if (place === "dismissed") return { icon: "door", title: t("courtroom.tile.dismissed"), note: "" };
    if (place === "waiting") return { icon: "clock", title: t("courtroom.tile.waiting"), note: "" };
    const since = state.value.lostSince[id];
    if (!present && since !== undefined) {
      const n = Math.max(0, Math.round((now.value - since) / 1000));
      return { icon: "wifi-off", title: t("courtroom.tile.offline", { n }), note: t("courtroom.tile.reconnecting") };
    }
    if (!present && !isMe.value) return { icon: "user", title: t("courtroom.tile.absent"), note: "" };
    if (paused.value) return { icon: "pause", title: t(sitting.value?.state === "recess" ? "courtroom.recess.title" : "courtroom.suspended.title"), note: "" };
    if (!camera_off && person().difficulties.includes("camera")) return { icon: "cam-off", title: t("courtroom.difficulty.camera"), note: "" };
    return camera_off ? { icon: "cam-off", title: t("courtroom.tile.cameraOff"), note: person().camera_leave ? t("courtroom.camera.leave") : "" } : { icon: "user", title: t("courtroom.tile.noPicture"), note: "" };
  });

  const status = computed(() => {
    const p = person();
    if (!inside.value || paused.value || p.role === "observer") return { icon: "", text: "" };
    if (p.court_muted) return { icon: "mic-lock", text: t("courtroom.tile.courtMuted") };
    if (p.microphone_off) return { icon: "mic-off", text: t("courtroom.tile.micOff") };
    if (!p.may_speak && sitting.value?.state === "in_session") return { icon: "mic-lock", text: t("courtroom.tile.notTurn") };
    return { icon: "mic", text: t("courtroom.tile.micOn") };
  });

  const flags = computed<Flag[]>(() => {
    const list: Flag[] = [];
    const place = sitting.value?.hands.findIndex((h) => h.participant_id === person().id) ?? -1;
    if (place >= 0) list.push({ kind: "warn", icon: "hand", text: t("courtroom.tile.hand", { n: place + 1 }) });
    const level = inside.value ? state.value.quality[person().id]?.level : undefined;
    if (level === "poor") list.push({ kind: "warn", icon: "wifi", text: t("courtroom.tile.poor") });
    if (level === "lost") list.push({ kind: "bad", icon: "wifi-off", text: t("courtroom.tile.networkLost") });
    for (const difficulty of inside.value ? person().difficulties : []) list.push({ kind: "warn", icon: ICONS[difficulty], text: t(`courtroom.difficulty.${difficulty}`) });
    if (inside.value && person().must_be_seen && person().camera_off) list.push({ kind: "warn", icon: "cam-off", text: t("courtroom.camera.notSeen") });
    if (person().may_present) list.push({ kind: "info", icon: "doc", text: t("courtroom.tile.mayPresent") });
    return list;
  });

  const all = computed(() => actsOn(room, person()));
  const call = computed(() => all.value.find((a) => a.key === "call")?.run ?? null);
  const acts = computed(() => all.value.filter((a) => a.key !== "call"));
  return { isMe, picture, held, speaking, blank, status, flags, acts, call };
}
