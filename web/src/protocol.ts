// GENERATED from signaling/protocol.py by `python -m signaling.typescript`. Never edited by hand.
// Times (`_at`) are ISO-8601 UTC strings; `_ms` are milliseconds on the record clock (0 = 宣布开庭).
//
// HTTP answers (refusals: an HTTP error status with a WireError body):
//   POST /api/sign-in, POST /api/link, GET /api/me         → Me
//   POST /api/sign-out, DELETE /api/participants/{id}/link, POST /api/self-test → 204, no body
//   POST /api/network-tests                                → NetworkTestBegun
//   POST /api/network-tests/{id}/answer, DELETE /api/network-tests/{id} → 204, no body
//   GET  /api/network-tests/{id}                           → NetworkTestMeasured
//   GET  /api/docket?from=&to= (ISO-8601)                  → DocketItem[]
//   GET  /api/hearings/{id}                                → DocketItem
//   GET  /api/staff                                        → StaffView[]
//   POST /api/hearings                                     → HearingCreated
//   POST /api/hearings/{id}/sittings                       → DocketSitting
//   POST /api/participants/{id}/link                       → LinkView
//   GET, PUT /api/hearings/{id}/words (PUT NewHearingWords) → HearingWords
//   GET  /api/hearings/{id}/exhibits                       → ExhibitView[]
//   POST /api/hearings/{id}/exhibits (multipart: title, purpose, file; file last) → ExhibitView
//   GET, POST /api/sittings/{id}/statements                → StatementView[] (POST drafts anew)
//   POST /api/sittings/{id}/statements/{id}/confirm (StatementConfirmation), …/sign (StatementSignature) → StatementView[]
//   GET  /api/sittings/{id}/hear-back                      → HearBackView; …/{track_id}.webm: the last seconds of a track
//   GET  /api/sittings/{id}/preflight                      → PreflightView
//   GET  /api/sittings/{id}/record                         → RecordView
//   GET  /api/sittings/{id}/sealed                         → RecordSealed
//   GET  /api/sittings/{id}/segments/{page}                → SegmentPage
//   POST /api/sittings/{id}/views/{view_id} (PlayedSpans)  → 204, no body
//   GET  /api/sittings/{id}/views                          → RecordRead[]
//   GET, POST /api/sittings/{id}/film                      → FilmView (POST asks for it once more)
//   GET  /api/sittings/{id}/captions                       → CaptionView[]
//   POST /api/sittings/{id}/draft/{replace|split|merge|speaker} (the command of that name, without sitting_id) → Ack
//   GET  /api/sittings/{id}/draft/history?line=            → LineHistory
//   GET  /api/sittings/{id}/transcript.{vtt|srt|txt|json|stm}?version= → the draft as a file
//   GET, POST /api/sittings/{id}/transcript/versions       → TranscriptVersions (POST TranscriptRequest: another pass)
//   GET  /api/sittings/{id}/transcript/versions/{number}   → CaptionView[]
//   GET  /api/sittings/{id}/transcript/diff?from=&to=      → TranscriptDiff

/** The fields every command carries. `command_id` is new for every act and repeated when the same act is sent again. */
export interface CommandHeader {
  command_id: string
  sitting_id: string
}

/** Stage of a civil first-instance hearing (庭审阶段), in order (CPL-140..151). */
export type Stage = "preparation" | "opening" | "identity" | "rights" | "recusal" | "investigation" | "evidence" | "debate" | "final_statements" | "mediation" | "judgment" | "closing"
export const STAGES: readonly Stage[] = ["preparation", "opening", "identity", "rights", "recusal", "investigation", "evidence", "debate", "final_statements", "mediation", "judgment", "closing"]

/** A part of a sitting in session by who takes part in it. */
export type Part = "open" | "closed" | "mediation" | "deliberation"
export const PARTS: readonly Part[] = ["open", "closed", "mediation", "deliberation"]

/** What is kept of a span of the sitting as sound and picture (AV-3). */
export type Keeping = "full" | "sealed" | "none"
export const KEEPINGS: readonly Keeping[] = ["full", "sealed", "none"]

/** Why a hand is raised (举手事由). */
export type HandReason = "speak" | "objection" | "technical" | "health"
export const HAND_REASONS: readonly HandReason[] = ["speak", "objection", "technical", "health"]

/** Why a person asks to be out of the picture (申请关闭摄像头的事由). */
export type CameraReason = "health" | "privacy" | "network" | "other"
export const CAMERA_REASONS: readonly CameraReason[] = ["health", "privacy", "network", "other"]

/** What hinders a person now, as the own page reports it: a fact for the court, never a fault of the person (OLR-25). */
export type Difficulty = "camera" | "microphone" | "background"
export const DIFFICULTIES: readonly Difficulty[] = ["camera", "microphone", "background"]

/** The part a person plays in a hearing (诉讼地位). */
export type Role = "presiding_judge" | "judge" | "assessor" | "clerk" | "plaintiff" | "defendant" | "third_party" | "agent" | "witness" | "expert" | "interpreter" | "observer"
export const ROLES: readonly Role[] = ["presiding_judge", "judge", "assessor", "clerk", "plaintiff", "defendant", "third_party", "agent", "witness", "expert", "interpreter", "observer"]

/** Procedure of the case (审判程序). */
export type Procedure = "ordinary" | "simplified" | "small_claims"
export const PROCEDURES: readonly Procedure[] = ["ordinary", "simplified", "small_claims"]

/** State of one sitting; the moves between them stand in states.py. */
export type SittingState = "scheduled" | "lobby" | "in_session" | "recess" | "tech_suspended" | "closed" | "cancelled"
export const SITTING_STATES: readonly SittingState[] = ["scheduled", "lobby", "in_session", "recess", "tech_suspended", "closed", "cancelled"]

/** Why a clerk should look at a stretch of a line. */
export type MarkKind = "low_confidence" | "second_opinion" | "number" | "negation" | "name"
export const MARK_KINDS: readonly MarkKind[] = ["low_confidence", "second_opinion", "number", "negation", "name"]

/** Who may have a recorded piece (a segment, a line, a showing), in order from everybody to nearly nobody. */
export type AccessClass = "public" | "parties" | "panel" | "sealed"
export const ACCESS_CLASSES: readonly AccessClass[] = ["public", "parties", "panel", "sealed"]

/** Clerk or judge opens the waiting area (候审). */
export type OpenLobby = CommandHeader

/** 宣布开庭: recording starts in the same command (J4, AV-3). */
export interface OpenSitting extends CommandHeader {
  override_reason?: string | null
}

/** 休庭, with the planned time of resuming (J16). */
export interface Adjourn extends CommandHeader {
  planned_resume_at?: string | null
}

/** 恢复庭审. */
export type Resume = CommandHeader

/** 闭庭: recording ends, the record is sealed; a closed sitting never reopens. */
export type Close = CommandHeader

/** 取消开庭, before 宣布开庭 only; another sitting of the hearing can then be set down. */
export type Cancel = CommandHeader

/** Move the stage bar forward or back (恢复法庭调查 is a move back). */
export interface GoToStage extends CommandHeader {
  stage: Stage
}

/** 转入不公开审理、调解或合议, with the ruling's text. `recorded` null: as is usual for the part (J17, AV-3). */
export interface BeginPart extends CommandHeader {
  part: Part
  ruling: string
  recorded?: Keeping | null
}

/** 恢复公开审理. */
export type EndPart = CommandHeader

/** 准许发言: give the floor; others but the bench are muted at the server (J9). */
export interface GiveFloor extends CommandHeader {
  participant_id: string
}

/** Take the floor back: everyone not muted may speak. */
export type OpenFloor = CommandHeader

/** 法庭静音: the server forwards and records no sound of this person (J10). */
export interface MuteParticipant extends CommandHeader {
  participant_id: string
}

export interface UnmuteParticipant extends CommandHeader {
  participant_id: string
}

/** 全体静音: everyone but the bench. */
export type MuteAll = CommandHeader

/** Send a person from the courtroom to the waiting area (J12). */
export interface Exclude extends CommandHeader {
  participant_id: string
}

/** Let a person from the waiting area into the courtroom (J12). */
export interface Admit extends CommandHeader {
  participant_id: string
}

/** 到庭: the clerk marks a person as attending (C5 thin). */
export interface MarkAttendance extends CommandHeader {
  participant_id: string
  attended?: boolean
}

/** 传唤证人 (J13). */
export interface CallWitness extends CommandHeader {
  participant_id: string
}

/** 证人退庭 (J13, W9). */
export interface DismissWitness extends CommandHeader {
  participant_id: string
}

/** 举手 (P9). */
export interface RaiseHand extends CommandHeader {
  reason?: HandReason
}

/** Lower one's own hand, or (judge, clerk) another's. */
export interface LowerHand extends CommandHeader {
  participant_id?: string | null
}

/** A person's own microphone switch; stops packets at the server too. */
export interface SetMicrophone extends CommandHeader {
  on: boolean
}

/** A person's own camera switch. In session only the bench, or who has leave, may switch it off. */
export interface SetCamera extends CommandHeader {
  on: boolean
}

/** 申请关闭摄像头. */
export interface RequestCameraLeave extends CommandHeader {
  reason: CameraReason
}

export type WithdrawCameraRequest = CommandHeader

/** 准许关闭摄像头, asked for or not; `allowed` false refuses a request or ends the leave. */
export interface AllowCameraOff extends CommandHeader {
  participant_id: string
  allowed?: boolean
}

/** A person's page says that something hinders the person, or no longer does. */
export interface ReportDifficulty extends CommandHeader {
  difficulty: Difficulty
  on?: boolean
}

/** Judge lets a person show own exhibits (P15), or takes the leave back. */
export interface AllowPresenting extends CommandHeader {
  participant_id: string
  allowed?: boolean
}

/** 出示证据: a page everyone follows; turning the page is showing another page. */
export interface ShowExhibit extends CommandHeader {
  exhibit_id: string
  page?: number
}

/** 收回出示. */
export type WithdrawExhibit = CommandHeader

/** 共享屏幕: one's own screen is on everybody's from now; the bench ends another's by starting its own. */
export type StartScreen = CommandHeader

/** 停止共享屏幕: one's own, or (presiding judge, clerk) another's. */
export interface StopScreen extends CommandHeader {
  participant_id?: string | null
}

/** The clerk notes a line in the draft (书记员记一行). */
export interface AddNote extends CommandHeader {
  text: string
}

/** `sitting.join`: take the seat on this socket; an older socket of the same person is closed (session.replaced). */
export interface Join extends CommandHeader {
  captions_after_ms?: number | null
}

/** `media.connect`: create the media peer; answered with the offers of both connections. */
export type Connect = CommandHeader

/** `media.answer`: the SDP answer to an offer. */
export interface Answer extends CommandHeader {
  peer_id: string
  connection: "up" | "down"
  revision: number
  sdp: string
}

/** `media.restart_ice`: new ICE credentials after a change of network. */
export interface RestartIce extends CommandHeader {
  peer_id: string
  connection: "up" | "down"
}

/** `media.resume`: this person's media peer still runs, only the socket is new. Answers the offers that were missed. */
export interface ResumeMedia extends CommandHeader {
  peer_id: string
}

/** `media.disconnect`: close the media peer. */
export interface Disconnect extends CommandHeader {
  peer_id: string
}

/** `media.view`: which pictures the page shows, and how large; the whole list whenever it changes. */
export interface View extends CommandHeader {
  peer_id: string
  tiles: Tile[]
}

/** `media.stats`: what the page measured in the last seconds (W3C webrtc-stats), about every 5 s. */
export interface Stats extends CommandHeader {
  peer_id: string
  rtt_ms: number | null
  jitter_ms: number
  up_loss: number
  down_loss: number
  freezes: number
  frames_per_s: number
  concealed: number
}

/** `draft.replace`: the clerk writes a line anew ("" strikes it). `based_on` is the line's `revision` as it was read. */
export interface ReplaceLine extends CommandHeader {
  line_id: string
  based_on: string
  text: string
}

/** `draft.split`: two lines, before and from character `at` (code points); the server knows when it was said. */
export interface SplitLine extends CommandHeader {
  line_id: string
  based_on: string
  at: number
}

/** `draft.merge`: take in the following line of the same speaker at the same microphone. */
export interface MergeLine extends CommandHeader {
  line_id: string
  based_on: string
  other_id: string
  other_based_on: string
}

/** `draft.speaker`: another person at this microphone said it (C11). */
export interface SetLineSpeaker extends CommandHeader {
  line_id: string
  based_on: string
  participant_id: string
}

/** One picture on the page: its height in device pixels, 0 when it is not shown. */
export interface Tile {
  participant_id: string
  kind: "video" | "screen"
  height_px: number
}

/** A refusal: `code` is stable for programs, `message` is Chinese for people, `field` names the bad field. */
export interface WireError {
  code: string
  message: string
  field: string | null
}

/** The one answer to every command. `number` is the ledger number the command led to. */
export interface Ack {
  ok: boolean
  number: number | null
  error: WireError | null
  joined: Joined | null
  offers: OfferView[] | null
  peer_id: string | null
  edited: CaptionsEdited | null
}

/** One seat. Marks that the viewer may not know are left false or null by the server. */
export interface ParticipantView {
  id: string
  role: Role
  name: string
  label: string
  represents: string | null
  present: boolean
  attended: boolean
  place: "courtroom" | "waiting" | "isolated" | "dismissed" | "outside"
  may_speak: boolean
  may_present: boolean
  court_muted: boolean
  microphone_off: boolean
  camera_off: boolean
  camera_leave: boolean
  must_be_seen: boolean
  difficulties: Difficulty[]
}

export interface HandView {
  participant_id: string
  reason: HandReason
  raised_at: string
}

/** 申请关闭摄像头; told to the bench and to who asked. */
export interface CameraRequestView {
  participant_id: string
  reason: CameraReason
  asked_at: string
}

export interface ShowingView {
  exhibit_id: string
  page: number
  presenter_id: string
}

/** An exhibit in the list; page pictures at /api/exhibits/{id}/pages/{n}.png. */
export interface ExhibitView {
  id: string
  side: "plaintiff" | "defendant" | "third_party" | "court"
  number: string
  title: string
  purpose: string
  media_type: string
  bytes: number
  pages: number
  sha256: string
  submitted_by: string
  submitted_at: string
}

export interface HearingView {
  id: string
  court_name: string
  case_number: string
  cause: string
  title: string
  procedure: Procedure
  public: boolean
  courtroom: string
  scheduled_at: string
}

/** What endangers the record now, in words for the bench; `fault`: something is not being recorded (S5, AV-4). */
export interface AlarmView {
  code: string
  severity: "fault" | "warning"
  title: string
  advice: string
  tracks: string[]
  since_at: string | null
}

/** One check before 宣布开庭; `words` are "what was found；what to do". `final`: cannot be overridden. */
export interface PreflightCheck {
  code: string
  state: "ok" | "warn" | "fail"
  words: string
  final: boolean
}

/** `GET /api/sittings/{id}/preflight`. What fails refuses `sitting.open`, unless it carries `override_reason` (J3). */
export interface PreflightView {
  checks: PreflightCheck[]
}

/** The whole state as this viewer may see it; sent whole at every change, a higher `number` wins. */
export interface SittingView {
  id: string
  number: number
  ordinal: number
  hearing: HearingView
  me: string
  state: SittingState
  stage: Stage
  stages_done: Stage[]
  part: Part
  part_recorded: Keeping
  part_ruling: string
  part_since_at: string | null
  opened_at: string | null
  closed_at: string | null
  recess_at: string | null
  planned_resume_at: string | null
  record_ms: number | null
  server_at: string
  floor: string | null
  participants: ParticipantView[]
  hands: HandView[]
  camera_requests: CameraRequestView[]
  showing: ShowingView | null
  screen: string | null
  exhibits: ExhibitView[]
  allowed: string[]
  may_watch_quality: boolean
  may_hear_back: boolean
  recording: "off" | "starting" | "on" | "fault" | "stopped"
  recording_detail: string
  alarms: AlarmView[]
  captions: "off" | "starting" | "on" | "delayed" | "unavailable"
  captions_detail: string
}

/** Characters [start, end) of a line's text, counted in code points, that want a look; see transcripts.model.Mark. */
export interface MarkView {
  kind: MarkKind
  start: number
  end: number
  note: string
}

/** One line of the machine draft (机器识别，非笔录), a clerk's note, or an act from the ledger. */
export interface CaptionView {
  id: string
  kind: "speech" | "note" | "act"
  participant_id: string | null
  label: string
  name: string
  t0_ms: number
  t1_ms: number
  text: string
  confidence: number | null
  engine: string | null
  origin: "live" | "refill" | "final" | "clerk" | "ledger"
  track_id: string | null
  marks: MarkView[]
  version: number
  machine: boolean
  revision: string
  edited_by: string | null
  edited_at: string | null
}

export interface OfferView {
  connection: "up" | "down"
  revision: number
  sdp: string
}

export interface IceServerView {
  urls: string[]
  username: string | null
  credential: string | null
}

/** Answer to sitting.join. */
export interface Joined {
  sitting: SittingView
  captions: CaptionView[]
  captions_gone: string[]
  ice_servers: IceServerView[]
  relay_only: boolean
}

export interface SittingUpdated {
  sitting: SittingView
}

export interface CaptionAdded {
  caption: CaptionView
}

/** The clerk corrected: lines that read otherwise now, and lines that are none any more. */
export interface CaptionsEdited {
  captions: CaptionView[]
  gone: string[]
}

/** Speech that is heard and not written yet; always the whole, sent again every few seconds while it lasts. */
export interface CaptionsProgress {
  writing: string[]
  delay_s: number
}

export interface SpeakingChanged {
  participant_id: string
  speaking: boolean
}

/** How one person's connection does now; the fields of media.control.Quality. */
export interface PathQuality {
  level: "good" | "fair" | "poor" | "lost"
  up_loss: number
  down_loss: number
  rtt_ms: number | null
  jitter_ms: number
  up_bps: number
  down_bps: number
  estimate_bps: number | null
  layers: string
  freezes: number
}

export interface QualityMeasured {
  level: "good" | "fair" | "poor" | "lost"
  up_loss: number
  down_loss: number
  rtt_ms: number | null
  jitter_ms: number
  up_bps: number
  down_bps: number
  estimate_bps: number | null
  layers: string
  freezes: number
  participant_id: string
}

/** What this page gets of one picture; `reason` says why it is paused or small. */
export interface LayerView {
  participant_id: string
  kind: "video" | "screen"
  layer: "l" | "m" | "h" | "single" | "paused"
  reason: "bandwidth" | "hidden" | "crowd" | ""
}

/** The pictures this page gets have changed; always the whole list. */
export interface LayersChosen {
  layers: LayerView[]
}

/** Renegotiation: answer with media.answer. */
export interface MediaOffered {
  peer_id: string
  offer: OfferView
}

/** The media server restarted or the peer is lost: send media.connect again (with back-off). */
export interface MediaLost {
  reason: "worker_restarted" | "peer_lost" | "unreachable"
}

/** The same person signed in elsewhere; this page must stop. */
export interface SessionReplaced {
  message: string
}

/** POST /api/sign-in */
export interface SignIn {
  login: string
  password: string
}

/** POST /api/link: the single-use exchange of a personal link's token into a session. */
export interface ExchangeLink {
  token: string
}

/** GET /api/me (200 with `kind: none` when not signed in). */
export interface Me {
  kind: "staff" | "participant" | "none"
  court_name: string
  name: string
  position: string
  participant_id: string | null
  hearing_id: string | null
  sitting_id: string | null
  csrf: string
}

export interface NewParticipant {
  key: string
  role: Role
  name: string
  represents?: string | null
  staff_id?: string | null
}

/** POST /api/hearings (clerk) */
export interface NewHearing {
  case_number: string
  cause: string
  title: string
  procedure: Procedure
  public: boolean
  courtroom: string
  scheduled_at: string
  participants: NewParticipant[]
}

/** A fresh personal link; shown once, only its hash is stored. */
export interface LinkView {
  participant_id: string
  role: Role
  name: string
  url: string
  expires_at: string
}

export interface HearingCreated {
  hearing_id: string
  sitting_id: string
  links: LinkView[]
}

export interface DocketParticipant {
  id: string
  role: Role
  label: string
  name: string
  status: "not_opened" | "opened" | "tested" | "test_failed" | "waiting" | "present"
  link_state: "none" | "unused" | "used" | "expired" | "revoked"
  network: "good" | "fair" | "poor" | "failed" | null
}

export interface DocketSitting {
  id: string
  ordinal: number
  state: SittingState
  opened_at: string | null
  closed_at: string | null
  sealed: boolean
}

/** One row of today's list (J1). GET /api/docket?from=&to= and GET /api/hearings/{id} (one item). */
export interface DocketItem {
  hearing: HearingView
  sittings: DocketSitting[]
  participants: DocketParticipant[]
  my_participant_id: string | null
  may_manage: boolean
}

/** GET /api/staff: colleagues who can be put on a panel. */
export interface StaffView {
  id: string
  name: string
  position: string
}

/** GET, PUT /api/hearings/{id}/words: what recognition is told of the case (识别词表), for who manages the hearing. */
export interface HearingWords {
  typed: string[]
  known: string[]
  changed_by: string
  changed_at: string | null
}

/** PUT /api/hearings/{id}/words: at most 100 words of 2 to 16 characters, in the place of those before. */
export interface NewHearingWords {
  words: string[]
}

/** What a person's network did in a self-test over the real path. Numbers are null where nothing was measured. */
export interface NetworkResult {
  grade: "good" | "fair" | "poor" | "failed"
  path: "direct" | "relay_udp" | "relay_tcp" | "relay_tls" | null
  family: "ipv4" | "ipv6" | null
  up_bps: number | null
  down_bps: number | null
  up_loss: number | null
  down_loss: number | null
  up_jitter_ms: number | null
  down_jitter_ms: number | null
  rtt_ms: number | null
  heard_own_voice: boolean | null
}

/** POST /api/self-test: result of the device and network check (P5), kept for the clerk. */
export interface SelfTest {
  camera: "ok" | "none" | "denied" | "failed"
  microphone: "ok" | "silent" | "none" | "denied" | "failed"
  speaker: "ok" | "failed" | "unchecked"
  browser: string
  network?: NetworkResult | null
}

/** POST /api/network-tests: the offer of a connection that belongs to no sitting; one per person, ended by itself. */
export interface NetworkTestBegun {
  test_id: string
  sdp: string
  ice_servers: IceServerView[]
  relay_only: boolean
}

/** POST /api/network-tests/{id}/answer */
export interface NetworkTestAnswer {
  sdp: string
}

/** GET /api/network-tests/{id}: what the server sees of what the browser sends. Rates are of RTP as received. */
export interface NetworkTestMeasured {
  connected: boolean
  up_bps: number
  up_best_bps: number
  up_packets: number
  up_lost: number
  up_jitter_ms: number
  left_ms: number
}

export interface QualitySampleView {
  level: "good" | "fair" | "poor" | "lost"
  up_loss: number
  down_loss: number
  rtt_ms: number | null
  jitter_ms: number
  up_bps: number
  down_bps: number
  estimate_bps: number | null
  layers: string
  freezes: number
  at: string
}

export interface PersonQuality {
  participant_id: string
  samples: QualitySampleView[]
}

/** GET /api/sittings/{id}/quality (presiding judge, clerk, technician): the last 15 minutes of everyone's path. */
export interface QualityHistory {
  people: PersonQuality[]
}

/** How one track stands on the disk. Levels are of the last second that was written; null for pictures. */
export interface HearBackTrack {
  track_id: string
  participant_id: string
  kind: "audio" | "video" | "screen"
  state: "written" | "muted" | "lost" | "not_written" | "not_sent"
  until_ms: number | null
  age_ms: number | null
  rms_dbfs: number | null
  peak_dbfs: number | null
  playable_ms: number
  may_listen: boolean
}

/** GET /api/sittings/{id}/hear-back (clerk, presiding judge, duty desk): what was just written to the disk. */
export interface HearBackView {
  recorded: boolean
  tracks: HearBackTrack[]
}

export interface RecordGap {
  t0_ms: number
  t1_ms: number
  cause: string
}

export interface RecordTrack {
  track_id: string
  participant_id: string
  kind: "audio" | "video" | "screen"
  recorded_ms: number
  bytes: number
  gaps: RecordGap[]
}

/** Segments of one track: index, t0_ms, t1_ms of each, one after another in one flat list. */
export interface TrackSegments {
  track_id: string
  segments: number[]
}

/** GET /api/sittings/{id}/segments/{page}: what lies in RecordView.page_ms of the record clock, and may be seen. */
export interface SegmentPage {
  tracks: TrackSegments[]
}

/** A stretch that this viewer may not see or hear; track_id is empty where it is the whole courtroom. */
export interface RecordHidden {
  track_id: string
  t0_ms: number
  t1_ms: number
  access: AccessClass
}

/** Intervals cover 宣布开庭 → 闭庭 without a hole. */
export interface RecordInterval {
  state: SittingState
  t0_ms: number
  t1_ms: number
  recorded: "full" | "sealed" | "none"
  cause: string
  part: Part
  author: string | null
  ruling: string
}

export interface RecordStage {
  stage: Stage
  t0_ms: number
  t1_ms: number
}

export interface RecordShowing {
  exhibit_id: string
  page: number
  presenter_id: string
  t0_ms: number
  t1_ms: number
}

/** A person's screen on everybody's (共享屏幕). */
export interface RecordScreen {
  participant_id: string
  t0_ms: number
  t1_ms: number
}

/** The last full verification: every stored byte of both copies was read (A10). */
export interface RecordCheck {
  at: string
  state: "whole" | "healed" | "one_copy" | "damaged"
  origin: "sealing" | "schedule" | "fault" | "command"
  objects: number
  healed: number
  problems: string[]
}

/** Time stamps of the ledger in the sealed manifest; a simulated authority proves no time. */
export interface RecordStamps {
  made: number
  missing: number
  authority: string
  simulated: boolean
}

/** State of the proof of the stored record. */
export interface RecordProof {
  state: "sealing" | "complete" | "complete_with_gaps" | "damaged"
  problems: string[]
  manifest_sha256: string | null
  check_code: string | null
  key_fingerprint: string | null
  sealed_at: string | null
  destroyed: string[]
  last_check: RecordCheck | null
  stamps: RecordStamps | null
}

/** GET /api/sittings/{id}/record. Package: GET /api/hearings/{id}/package.zip */
export interface RecordView {
  sitting_id: string
  ordinal: number
  hearing: HearingView
  state: SittingState
  opened_at: string
  closed_at: string | null
  duration_ms: number
  participants: ParticipantView[]
  tracks: RecordTrack[]
  intervals: RecordInterval[]
  stages: RecordStage[]
  exhibits: ExhibitView[]
  showings: RecordShowing[]
  screens: RecordScreen[]
  lines: CaptionView[]
  version: number
  may_edit: boolean
  quiet: number[]
  quiet_from: "speech" | "muted"
  hidden: RecordHidden[]
  proof: RecordProof
  page_ms: number
  viewer: string
  view_id: string
}

/** POST /api/sittings/{id}/access-orders (presiding judge, after 闭庭): make a stretch stricter. track_id "": everything. */
export interface NewAccessOrder {
  track_id?: string
  t0_ms: number
  t1_ms: number
  access?: "panel" | "sealed"
  ruling: string
}

/** GET /api/sittings/{id}/access-orders: one order, as it stands in the record. */
export interface AccessOrderView {
  track_id: string
  t0_ms: number
  t1_ms: number
  access: AccessClass
  ruling: string
  ordered_by: string
  at: string
}

/** GET /api/sittings/{id}/film: the one film of a sitting (合成录像); POST asks for it once more (clerk, presiding judge). */
export interface FilmView {
  state: "none" | "queued" | "making" | "ready" | "failed"
  progress: number
  may_ask: boolean
  bytes: number | null
  sha256: string | null
  duration_ms: number | null
  made_at: string | null
}

/** A final pass over the recording (终稿识别): machine lines of one engine beside the live draft, which is version 0. */
export interface VersionView {
  number: number
  state: "waiting" | "running" | "done" | "failed"
  progress: number
  problem: string
  message: string
  engine: string | null
  model_sha256: string | null
  lines: number
  bleed: number
  requested_by: string | null
  created_at: string
  finished_at: string | null
}

/** GET /api/sittings/{id}/transcript/versions. The lines of one: GET …/versions/{number} → CaptionView[] (0: live draft). */
export interface TranscriptVersions {
  live_lines: number
  versions: VersionView[]
  may_ask: boolean
  may_compare: boolean
}

/** POST /api/sittings/{id}/transcript/versions: recognise the recording again with the engine that is set for this use. */
export interface TranscriptRequest {
  engine: "final" | "second"
}

export interface DiffPiece {
  kind: "same" | "added" | "removed"
  text: string
}

/** Lines of one track that tell the same stretch in both versions, and what of their text is different. */
export interface DiffRow {
  change: "same" | "changed" | "added" | "removed"
  participant_id: string
  label: string
  name: string
  t0_ms: number
  t1_ms: number
  from_ids: string[]
  to_ids: string[]
  pieces: DiffPiece[]
}

/** GET /api/sittings/{id}/transcript/diff?from=0&to=1: in order of time, unchanged rows too. */
export interface TranscriptDiff {
  from_version: number
  to_version: number
  rows: DiffRow[]
}

/** GET /api/sittings/{id}/statements; POST drafts anew. 起止与中断情况记录 (course) or 故障说明 (fault); to print: …/{id}/page */
export interface StatementView {
  id: string
  kind: "course" | "fault"
  title: string
  version: number
  state: "drafted" | "confirmed" | "signed"
  sha256: string
  remarks: string
  drafted_at: string
  confirmed_by: string
  confirmed_at: string | null
  signed_by: string
  signed_at: string | null
  may: "confirm" | "sign" | ""
}

/** POST …/statements/{id}/confirm (the clerk, after 闭庭): `sha256` of what was read. */
export interface StatementConfirmation {
  sha256: string
  remarks: string
}

/** POST …/statements/{id}/sign (the presiding judge): `sha256` of what was read. */
export interface StatementSignature {
  sha256: string
}

/** One step of a line's history: by whom it was made what; `text` is that of the line after it. */
export interface LineStep {
  revision: string
  operation: "machine" | "replace_text" | "split" | "merge" | "set_speaker"
  text: string
  speaker: string | null
  author: string | null
  at: string | null
  engine: string | null
}

/** GET /api/sittings/{id}/draft/history?line=: oldest first (bench). */
export interface LineHistory {
  steps: LineStep[]
}

/** GET /api/sittings/{id}/sealed: asked again and again while the record is being sealed; it is no read of the record. */
export interface RecordSealed {
  sealed: boolean
}

/** POST /api/sittings/{id}/views/{view_id}: what was played since the last report, on the record clock. */
export interface PlayedSpans {
  spans: number[]
}

/** GET /api/sittings/{id}/views (who manages the hearing): one opening of the record, newest first, or another read. */
export interface RecordRead {
  view_id: string
  what: "record" | "captions" | "exhibit_original" | "film" | "package" | "hear_back" | "transcript"
  name: string
  at: string
  last_at: string
  played: number[]
}

/** What the browser emits on /court; always answered once. */
export interface ClientToServerEvents {
  "sitting.open_lobby": (command: OpenLobby, ack: (answer: Ack) => void) => void
  "sitting.open": (command: OpenSitting, ack: (answer: Ack) => void) => void
  "sitting.adjourn": (command: Adjourn, ack: (answer: Ack) => void) => void
  "sitting.resume": (command: Resume, ack: (answer: Ack) => void) => void
  "sitting.close": (command: Close, ack: (answer: Ack) => void) => void
  "sitting.cancel": (command: Cancel, ack: (answer: Ack) => void) => void
  "stage.go": (command: GoToStage, ack: (answer: Ack) => void) => void
  "part.begin": (command: BeginPart, ack: (answer: Ack) => void) => void
  "part.end": (command: EndPart, ack: (answer: Ack) => void) => void
  "floor.give": (command: GiveFloor, ack: (answer: Ack) => void) => void
  "floor.open": (command: OpenFloor, ack: (answer: Ack) => void) => void
  "participant.mute": (command: MuteParticipant, ack: (answer: Ack) => void) => void
  "participant.unmute": (command: UnmuteParticipant, ack: (answer: Ack) => void) => void
  "participant.mute_all": (command: MuteAll, ack: (answer: Ack) => void) => void
  "participant.exclude": (command: Exclude, ack: (answer: Ack) => void) => void
  "participant.admit": (command: Admit, ack: (answer: Ack) => void) => void
  "attendance.mark": (command: MarkAttendance, ack: (answer: Ack) => void) => void
  "witness.call": (command: CallWitness, ack: (answer: Ack) => void) => void
  "witness.dismiss": (command: DismissWitness, ack: (answer: Ack) => void) => void
  "hand.raise": (command: RaiseHand, ack: (answer: Ack) => void) => void
  "hand.lower": (command: LowerHand, ack: (answer: Ack) => void) => void
  "microphone.set": (command: SetMicrophone, ack: (answer: Ack) => void) => void
  "camera.set": (command: SetCamera, ack: (answer: Ack) => void) => void
  "camera.request_leave": (command: RequestCameraLeave, ack: (answer: Ack) => void) => void
  "camera.withdraw_request": (command: WithdrawCameraRequest, ack: (answer: Ack) => void) => void
  "camera.allow_off": (command: AllowCameraOff, ack: (answer: Ack) => void) => void
  "difficulty.report": (command: ReportDifficulty, ack: (answer: Ack) => void) => void
  "exhibit.allow": (command: AllowPresenting, ack: (answer: Ack) => void) => void
  "exhibit.show": (command: ShowExhibit, ack: (answer: Ack) => void) => void
  "exhibit.withdraw": (command: WithdrawExhibit, ack: (answer: Ack) => void) => void
  "screen.start": (command: StartScreen, ack: (answer: Ack) => void) => void
  "screen.stop": (command: StopScreen, ack: (answer: Ack) => void) => void
  "note.add": (command: AddNote, ack: (answer: Ack) => void) => void
  "sitting.join": (command: Join, ack: (answer: Ack) => void) => void
  "media.connect": (command: Connect, ack: (answer: Ack) => void) => void
  "media.answer": (command: Answer, ack: (answer: Ack) => void) => void
  "media.restart_ice": (command: RestartIce, ack: (answer: Ack) => void) => void
  "media.resume": (command: ResumeMedia, ack: (answer: Ack) => void) => void
  "media.disconnect": (command: Disconnect, ack: (answer: Ack) => void) => void
  "media.view": (command: View, ack: (answer: Ack) => void) => void
  "media.stats": (command: Stats, ack: (answer: Ack) => void) => void
  "draft.replace": (command: ReplaceLine, ack: (answer: Ack) => void) => void
  "draft.split": (command: SplitLine, ack: (answer: Ack) => void) => void
  "draft.merge": (command: MergeLine, ack: (answer: Ack) => void) => void
  "draft.speaker": (command: SetLineSpeaker, ack: (answer: Ack) => void) => void
}

/** What the server emits on /court. */
export interface ServerToClientEvents {
  "sitting.updated": (event: SittingUpdated) => void
  "caption.added": (event: CaptionAdded) => void
  "captions.edited": (event: CaptionsEdited) => void
  "captions.progress": (event: CaptionsProgress) => void
  "speaking.changed": (event: SpeakingChanged) => void
  "quality.measured": (event: QualityMeasured) => void
  "media.offered": (event: MediaOffered) => void
  "media.layers": (event: LayersChosen) => void
  "media.lost": (event: MediaLost) => void
  "session.replaced": (event: SessionReplaced) => void
}

export type CommandName = keyof ClientToServerEvents
export type EventName = keyof ServerToClientEvents
type Command<Name extends CommandName> = Parameters<ClientToServerEvents[Name]>[0]
/** The fields of a command without its header. */
export type CommandFields<Name extends CommandName> = Omit<Command<Name>, keyof CommandHeader>
export type EventBody<Name extends EventName> = Parameters<ServerToClientEvents[Name]>[0]
