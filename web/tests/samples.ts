/** Valid messages to vary in tests. */
import type { CaptionView, ParticipantView, SittingView } from "@/protocol";

export function person(id: string, extra: Partial<ParticipantView> = {}): ParticipantView {
  return {
    id,
    role: "plaintiff",
    name: id,
    label: "原",
    represents: null,
    present: true,
    attended: false,
    place: "courtroom",
    may_speak: true,
    may_present: false,
    court_muted: false,
    microphone_off: false,
    camera_off: false,
    camera_leave: false,
    must_be_seen: false,
    difficulties: [],
    ...extra,
  };
}

export function caption(id: string, t0_ms: number, text = id): CaptionView {
  return { id, kind: "speech", participant_id: "p_a", label: "原", name: "", t0_ms, t1_ms: t0_ms + 500, text, confidence: 0.9, engine: null, origin: "live", track_id: "p_a-audio", marks: [], version: 0, machine: true, revision: "", edited_by: null, edited_at: null };
}

export function sitting(extra: Partial<SittingView>): SittingView {
  return {
    id: "sit_1",
    number: 1,
    ordinal: 1,
    hearing: { id: "hear_1", court_name: "", case_number: "", cause: "", title: "", procedure: "ordinary", public: true, courtroom: "", scheduled_at: "2026-11-20T01:00:00Z" },
    me: "p_a",
    state: "in_session",
    stage: "evidence",
    stages_done: [],
    part: "open",
    part_recorded: "full",
    part_ruling: "",
    part_since_at: null,
    opened_at: null,
    closed_at: null,
    recess_at: null,
    planned_resume_at: null,
    record_ms: null,
    server_at: "2026-11-20T01:00:00Z",
    floor: null,
    participants: [],
    hands: [],
    camera_requests: [],
    showing: null,
    screen: null,
    exhibits: [],
    allowed: [],
    may_watch_quality: false,
    may_hear_back: false,
    recording: "off",
    recording_detail: "",
    alarms: [],
    captions: "off",
    captions_detail: "",
    ...extra,
  };
}
