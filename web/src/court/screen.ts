/** What a page shows for a state, as pure functions; words are chosen here by key and spoken in the locale files. */
import { type ParticipantView, type SittingView, type Stage, STAGES } from "@/protocol";

import { sideOf } from "./seats";
import type { CourtState } from "./state";

export type Screen = "loading" | "refused" | "replaced" | "scheduled" | "isolated" | "waiting" | "dismissed" | "outside" | "closed" | "cancelled" | "room";

/** Which whole screen this seat sees. Recess and technical suspension are panels inside the room. */
export function screenOf({ phase, sitting }: Pick<CourtState, "phase" | "sitting">): Screen {
  if (phase === "replaced" || phase === "refused") return phase;
  if (!sitting) return "loading";
  if (sitting.state === "cancelled" || sitting.state === "closed") return sitting.state;
  const place = sitting.participants.find((p) => p.id === sitting.me)?.place;
  if (place && place !== "courtroom") return place;
  if (sitting.state === "scheduled" && !sitting.allowed.includes("sitting.open_lobby")) return "scheduled";
  return "room";
}

export const nextStage = (stage: Stage): Stage | null => STAGES[STAGES.indexOf(stage) + 1] ?? null;
export const previousStage = (stage: Stage): Stage | null => STAGES[STAGES.indexOf(stage) - 1] ?? null;

/** The one sentence that tells a person what to do now. */
export type Say = "offline" | "yourTurn" | "yourTurnMic" | "wait" | "open" | "openMic" | "muted" | "recess" | "lobby" | "suspended";

export function sayTo(sitting: SittingView, me: ParticipantView, connected = true): Say {
  if (!connected) return "offline";
  if (sitting.state === "recess") return "recess";
  if (sitting.state === "tech_suspended") return "suspended";
  if (sitting.state !== "in_session") return "lobby";
  if (me.court_muted) return "muted";
  if (sitting.floor === me.id) return me.microphone_off ? "yourTurnMic" : "yourTurn";
  const heard = me.may_speak || (me.microphone_off && sitting.floor === null);
  if (!heard) return "wait";
  return me.microphone_off ? "openMic" : "open";
}

export interface Room {
  bench: ParticipantView[];
  clerks: ParticipantView[];
  left: ParticipantView[];
  right: ParticipantView[];
  leftThird: boolean;
  rightOther: boolean;
  observers: ParticipantView[];
}

/** 审判长 in the middle, the others by turns at the right and the left. */
export function benchOrder(panel: readonly ParticipantView[]): ParticipantView[] {
  const chief = panel.find((p) => p.role === "presiding_judge");
  const row: ParticipantView[] = chief ? [chief] : [];
  panel.filter((p) => p !== chief).forEach((p, i) => (i % 2 === 0 ? row.unshift(p) : row.push(p)));
  return row;
}

/** Who sits where: plaintiffs (and third parties) left, defendants, witnesses and others right. */
export function roomOf(everybody: readonly ParticipantView[]): Room {
  const of = (side: string) => everybody.filter((p) => sideOf(p, everybody) === side);
  const bench = of("bench");
  const others = of("other").filter((p) => p.role !== "observer");
  const third = others.filter((p) => ["third_party", "agent"].includes(p.role));
  const called = others.filter((p) => !third.includes(p));
  return {
    bench: benchOrder(bench.filter((p) => p.role !== "clerk")),
    clerks: bench.filter((p) => p.role === "clerk"),
    left: [...of("plaintiff"), ...third],
    right: [...of("defendant"), ...called],
    leftThird: third.length > 0,
    rightOther: called.length > 0,
    observers: everybody.filter((p) => p.role === "observer"),
  };
}

/**
 * Whom to show large: who has the floor, who speaks, who spoke last, the presiding judge. On a desk nobody sees the own
 * face large; on a phone one does while having the floor (`own`), to know that the court sees and hears. Whoever is
 * `shown` already stays while still speaking, so that the picture does not jump when several speak at once.
 */
export function inFocus(state: CourtState, own = false, shown: string | null = null): ParticipantView | null {
  const { sitting, speaking, lastSpeaker } = state;
  if (!sitting) return null;
  const mayBe = (id: string) => id !== sitting.me || (own && sitting.floor === id);
  const visible = sitting.participants.filter((p) => p.place === "courtroom" && p.present && mayBe(p.id));
  const by = (id: string | null | undefined) => visible.find((p) => p.id === id);
  const speakers = [...speaking].filter((id) => by(id));
  const stays = shown !== null && speakers.includes(shown) ? shown : speakers.at(-1);
  return by(sitting.floor) ?? by(stays) ?? by(lastSpeaker) ?? visible.find((p) => p.role === "presiding_judge") ?? visible[0] ?? null;
}
