"""The wire protocol, written once. typescript.py generates web/src/protocol.ts from it; a test fails when that is stale.

Socket.IO, one namespace "/court". The browser emits a command (imperative) with `{command_id, sitting_id, ...fields}` and
is always answered once with an Ack. The server emits the past-tense events below. Field names are identical in both
languages. HTTP bodies of http_api.py stand here too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from hearing import commands as law
from hearing.access import AccessClass
from hearing.model import CameraReason, Difficulty, HandReason, Keeping, Part, Procedure, Role, SittingState, Stage
from transcripts.model import MarkKind


class Message(BaseModel):
    """Base of everything on the wire: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# --- commands -----------------------------------------------------------------------------------

COURT_COMMANDS: dict[str, type] = {
    c.type: c
    for c in (
        law.OpenLobby, law.OpenSitting, law.Adjourn, law.Resume, law.Close, law.Cancel, law.GoToStage, law.BeginPart,
        law.EndPart, law.GiveFloor, law.OpenFloor, law.MuteParticipant, law.UnmuteParticipant, law.MuteAll, law.Exclude,
        law.Admit, law.MarkAttendance,
        law.CallWitness, law.DismissWitness, law.RaiseHand, law.LowerHand, law.SetMicrophone, law.SetCamera,
        law.RequestCameraLeave, law.WithdrawCameraRequest, law.AllowCameraOff, law.ReportDifficulty, law.AllowPresenting,
        law.ShowExhibit, law.WithdrawExhibit, law.StartScreen, law.StopScreen, law.AddNote,
    )
}  # fmt: skip
"""Commands of the law that a browser may send; the dataclasses of hearing/commands.py are their bodies."""


class Join(Message):
    """`sitting.join`: take the seat on this socket; an older socket of the same person is closed (session.replaced)."""

    captions_after_ms: int | None = None


class Connect(Message):
    """`media.connect`: create the media peer; answered with the offers of both connections."""


class Answer(Message):
    """`media.answer`: the SDP answer to an offer."""

    peer_id: str
    connection: Literal["up", "down"]
    revision: int
    sdp: str


class RestartIce(Message):
    """`media.restart_ice`: new ICE credentials after a change of network."""

    peer_id: str
    connection: Literal["up", "down"]


class ResumeMedia(Message):
    """`media.resume`: this person's media peer still runs, only the socket is new. Answers the offers that were missed."""

    peer_id: str


class Disconnect(Message):
    """`media.disconnect`: close the media peer."""

    peer_id: str


class Tile(Message):
    """One picture on the page: its height in device pixels, 0 when it is not shown."""

    participant_id: str
    kind: Literal["video", "screen"]
    height_px: int


class View(Message):
    """`media.view`: which pictures the page shows, and how large; the whole list whenever it changes."""

    peer_id: str
    tiles: list[Tile]


class Stats(Message):
    """`media.stats`: what the page measured in the last seconds (W3C webrtc-stats), about every 5 s."""

    peer_id: str
    rtt_ms: float | None
    jitter_ms: float
    up_loss: float
    down_loss: float
    freezes: int
    frames_per_s: float
    concealed: float


CONNECTION_COMMANDS: dict[str, type[Message]] = {
    "sitting.join": Join,
    "media.connect": Connect,
    "media.answer": Answer,
    "media.restart_ice": RestartIce,
    "media.resume": ResumeMedia,
    "media.disconnect": Disconnect,
    "media.view": View,
    "media.stats": Stats,
}


class ReplaceLine(Message):
    """`draft.replace`: the clerk writes a line anew ("" strikes it). `based_on` is the line's `revision` as it was read."""

    line_id: str
    based_on: str
    text: str


class SplitLine(Message):
    """`draft.split`: two lines, before and from character `at` (code points); the server knows when it was said."""

    line_id: str
    based_on: str
    at: int


class MergeLine(Message):
    """`draft.merge`: take in the following line of the same speaker at the same microphone."""

    line_id: str
    based_on: str
    other_id: str
    other_based_on: str


class SetLineSpeaker(Message):
    """`draft.speaker`: another person at this microphone said it (C11)."""

    line_id: str
    based_on: str
    participant_id: str


DRAFT_COMMANDS: dict[str, type[Message]] = {
    "draft.replace": ReplaceLine,
    "draft.split": SplitLine,
    "draft.merge": MergeLine,
    "draft.speaker": SetLineSpeaker,
}
"""Also over HTTP, for the record page: POST /api/sittings/{id}/draft/{replace|split|merge|speaker}, answered with an Ack."""

CONNECTION_COMMANDS |= DRAFT_COMMANDS


class WireError(Message):
    """A refusal: `code` is stable for programs, `message` is Chinese for people, `field` names the bad field."""

    code: str
    message: str
    field: str | None = None


class Ack(Message):
    """The one answer to every command. `number` is the ledger number the command led to."""

    ok: bool
    number: int | None = None
    error: WireError | None = None
    joined: Joined | None = None  # sitting.join
    offers: list[OfferView] | None = None  # media.connect, media.restart_ice, media.resume
    peer_id: str | None = None  # media.connect
    edited: CaptionsEdited | None = None  # draft.*


# --- what a participant sees --------------------------------------------------------------------


class ParticipantView(Message):
    """One seat. Marks that the viewer may not know are left false or null by the server."""

    id: str
    role: Role
    name: str
    label: str  # 审 陪 书 原 原1 原代 被 三 证 鉴 翻 旁
    represents: str | None
    present: bool  # connected now
    attended: bool  # 已到庭
    place: Literal["courtroom", "waiting", "isolated", "dismissed", "outside"]
    may_speak: bool
    may_present: bool
    court_muted: bool
    microphone_off: bool
    camera_off: bool
    camera_leave: bool  # 准许关闭摄像头
    must_be_seen: bool  # may not leave the picture now without leave
    difficulties: list[Difficulty]  # reported by the person's page


class HandView(Message):
    participant_id: str
    reason: HandReason
    raised_at: datetime


class CameraRequestView(Message):
    """申请关闭摄像头; told to the bench and to who asked."""

    participant_id: str
    reason: CameraReason
    asked_at: datetime


class ShowingView(Message):
    exhibit_id: str
    page: int
    presenter_id: str


class ExhibitView(Message):
    """An exhibit in the list; page pictures at /api/exhibits/{id}/pages/{n}.png."""

    id: str
    side: Literal["plaintiff", "defendant", "third_party", "court"]
    number: str  # 原告证据1
    title: str
    purpose: str
    media_type: str
    bytes: int
    pages: int
    sha256: str
    submitted_by: str
    submitted_at: datetime


class HearingView(Message):
    id: str
    court_name: str
    case_number: str
    cause: str
    title: str
    procedure: Procedure
    public: bool
    courtroom: str
    scheduled_at: datetime


class AlarmView(Message):
    """What endangers the record now, in words for the bench; `fault`: something is not being recorded (S5, AV-4)."""

    code: str
    severity: Literal["fault", "warning"]
    title: str
    advice: str  # what to do
    tracks: list[str]  # "<participant_id>-<kind>" of those concerned; []: all, or none in particular
    since_at: datetime | None


class PreflightCheck(Message):
    """One check before 宣布开庭; `words` are "what was found；what to do". `final`: cannot be overridden."""

    code: str
    state: Literal["ok", "warn", "fail"]
    words: str
    final: bool


class PreflightView(Message):
    """`GET /api/sittings/{id}/preflight`. What fails refuses `sitting.open`, unless it carries `override_reason` (J3)."""

    checks: list[PreflightCheck]


class SittingView(Message):
    """The whole state as this viewer may see it; sent whole at every change, a higher `number` wins."""

    id: str
    number: int  # ledger number
    ordinal: int  # 第 n 次开庭
    hearing: HearingView
    me: str  # participant id of the viewer
    state: SittingState
    stage: Stage
    stages_done: list[Stage]
    part: Part  # who takes part now: all, or those of a closed part, a mediation, a deliberation
    part_recorded: Keeping
    part_ruling: str  # for those of the part
    part_since_at: datetime | None
    opened_at: datetime | None
    closed_at: datetime | None
    recess_at: datetime | None
    planned_resume_at: datetime | None
    record_ms: int | None  # record clock at server_at
    server_at: datetime
    floor: str | None
    participants: list[ParticipantView]
    hands: list[HandView]
    camera_requests: list[CameraRequestView]
    showing: ShowingView | None
    screen: str | None  # whose screen is shared
    exhibits: list[ExhibitView]
    allowed: list[str]  # wire names of the commands this viewer may give now
    may_watch_quality: bool  # GET /api/sittings/{id}/quality
    may_hear_back: bool  # GET /api/sittings/{id}/hear-back
    recording: Literal["off", "starting", "on", "fault", "stopped"]
    recording_detail: str
    alarms: list[AlarmView]
    captions: Literal["off", "starting", "on", "delayed", "unavailable"]  # whether live captions can be made
    captions_detail: str  # for the bench: what is wrong with speech recognition, and what to do


class MarkView(Message):
    """Characters [start, end) of a line's text, counted in code points, that want a look; see transcripts.model.Mark."""

    kind: MarkKind
    start: int
    end: int
    note: str


class CaptionView(Message):
    """One line of the machine draft (机器识别，非笔录), a clerk's note, or an act from the ledger."""

    id: str
    kind: Literal["speech", "note", "act"]
    participant_id: str | None
    label: str
    name: str
    t0_ms: int
    t1_ms: int
    text: str
    confidence: float | None
    engine: str | None  # "faster-whisper whisper-base 905e5bf8"
    origin: Literal["live", "refill", "final", "clerk", "ledger"]
    track_id: str | None  # whose microphone; the speaker may be another
    marks: list[MarkView]
    version: int  # of the machine's line: 0 live, final passes from 1
    machine: bool  # 机器稿: no person has written this text
    revision: str  # the newest correction, "" without one: what the next one is based on
    edited_by: str | None
    edited_at: datetime | None


class OfferView(Message):
    connection: Literal["up", "down"]
    revision: int
    sdp: str


class IceServerView(Message):
    urls: list[str]
    username: str | None = None
    credential: str | None = None


class Joined(Message):
    """Answer to sitting.join."""

    sitting: SittingView
    captions: list[CaptionView]
    captions_gone: list[str]  # lines that were shown once and are none any more: struck, or taken in by another
    ice_servers: list[IceServerView]
    relay_only: bool


# --- events -------------------------------------------------------------------------------------


class SittingUpdated(Message):
    sitting: SittingView


class CaptionAdded(Message):
    caption: CaptionView


class CaptionsEdited(Message):
    """The clerk corrected: lines that read otherwise now, and lines that are none any more."""

    captions: list[CaptionView]
    gone: list[str]


class CaptionsProgress(Message):
    """Speech that is heard and not written yet; always the whole, sent again every few seconds while it lasts.

    A page that has heard nothing for 10 s takes it for over.
    """

    writing: list[str]  # participants whose words are coming
    delay_s: int  # how late captions are; 0: in time


class SpeakingChanged(Message):
    participant_id: str
    speaking: bool


class PathQuality(Message):
    """How one person's connection does now; the fields of media.control.Quality."""

    level: Literal["good", "fair", "poor", "lost"]
    up_loss: float
    down_loss: float
    rtt_ms: float | None
    jitter_ms: float
    up_bps: int
    down_bps: int
    estimate_bps: int | None
    layers: str
    freezes: int


class QualityMeasured(PathQuality):
    participant_id: str


class LayerView(Message):
    """What this page gets of one picture; `reason` says why it is paused or small."""

    participant_id: str
    kind: Literal["video", "screen"]
    layer: Literal["l", "m", "h", "single", "paused"]
    reason: Literal["bandwidth", "hidden", "crowd", ""]


class LayersChosen(Message):
    """The pictures this page gets have changed; always the whole list."""

    layers: list[LayerView]


class MediaOffered(Message):
    """Renegotiation: answer with media.answer."""

    peer_id: str
    offer: OfferView


class MediaLost(Message):
    """The media server restarted or the peer is lost: send media.connect again (with back-off)."""

    reason: Literal["worker_restarted", "peer_lost", "unreachable"]


class SessionReplaced(Message):
    """The same person signed in elsewhere; this page must stop."""

    message: str


EVENTS: dict[str, type[Message]] = {
    "sitting.updated": SittingUpdated,
    "caption.added": CaptionAdded,
    "captions.edited": CaptionsEdited,
    "captions.progress": CaptionsProgress,
    "speaking.changed": SpeakingChanged,
    "quality.measured": QualityMeasured,
    "media.offered": MediaOffered,
    "media.layers": LayersChosen,
    "media.lost": MediaLost,
    "session.replaced": SessionReplaced,
}


# --- HTTP bodies --------------------------------------------------------------------------------


class SignIn(Message):
    """POST /api/sign-in"""

    login: str
    password: str


class ExchangeLink(Message):
    """POST /api/link: the single-use exchange of a personal link's token into a session."""

    token: str


class Me(Message):
    """GET /api/me (200 with `kind: none` when not signed in)."""

    kind: Literal["staff", "participant", "none"]
    court_name: str
    name: str = ""
    position: str = ""  # judge | assessor | clerk | technician
    participant_id: str | None = None
    hearing_id: str | None = None
    sitting_id: str | None = None  # the sitting a participant should go to now
    csrf: str = ""  # send back as X-CSRF-Token with every POST/PUT/DELETE


class NewParticipant(Message):
    key: str  # the form's own name of this person, so that an agent can name whom it represents
    role: Role
    name: str
    represents: str | None = None  # another person's key
    staff_id: str | None = None


class NewHearing(Message):
    """POST /api/hearings (clerk)"""

    case_number: str
    cause: str
    title: str
    procedure: Procedure
    public: bool
    courtroom: str
    scheduled_at: datetime
    participants: list[NewParticipant]


class LinkView(Message):
    """A fresh personal link; shown once, only its hash is stored."""

    participant_id: str
    role: Role
    name: str
    url: str
    expires_at: datetime


class HearingCreated(Message):
    hearing_id: str
    sitting_id: str
    links: list[LinkView]


NetworkGrade = Literal["good", "fair", "poor", "failed"]  # failed: no connection came about


class DocketParticipant(Message):
    id: str
    role: Role
    label: str
    name: str
    status: Literal["not_opened", "opened", "tested", "test_failed", "waiting", "present"]
    link_state: Literal["none", "unused", "used", "expired", "revoked"]
    network: NetworkGrade | None  # of the newest self-test, for who manages the hearing


class DocketSitting(Message):
    id: str
    ordinal: int
    state: SittingState
    opened_at: datetime | None
    closed_at: datetime | None
    sealed: bool


class DocketItem(Message):
    """One row of today's list (J1). GET /api/docket?from=&to= and GET /api/hearings/{id} (one item)."""

    hearing: HearingView
    sittings: list[DocketSitting]
    participants: list[DocketParticipant]
    my_participant_id: str | None
    may_manage: bool


class StaffView(Message):
    """GET /api/staff: colleagues who can be put on a panel."""

    id: str
    name: str
    position: str


class HearingWords(Message):
    """GET, PUT /api/hearings/{id}/words: what recognition is told of the case (识别词表), for who manages the hearing."""

    typed: list[str]  # by the clerk for this hearing
    known: list[str]  # from the court's own data: names, companies, places, exhibits
    changed_by: str  # "": never changed
    changed_at: datetime | None


class NewHearingWords(Message):
    """PUT /api/hearings/{id}/words: at most 100 words of 2 to 16 characters, in the place of those before."""

    words: list[str]


class NetworkResult(Message):
    """What a person's network did in a self-test over the real path. Numbers are null where nothing was measured."""

    grade: NetworkGrade
    path: Literal["direct", "relay_udp", "relay_tcp", "relay_tls"] | None
    family: Literal["ipv4", "ipv6"] | None
    up_bps: Annotated[int, Field(ge=0)] | None
    down_bps: Annotated[int, Field(ge=0)] | None
    up_loss: Annotated[float, Field(ge=0, le=1)] | None
    down_loss: Annotated[float, Field(ge=0, le=1)] | None
    up_jitter_ms: Annotated[float, Field(ge=0)] | None
    down_jitter_ms: Annotated[float, Field(ge=0)] | None
    rtt_ms: Annotated[float, Field(ge=0)] | None
    heard_own_voice: bool | None  # null: not asked


class SelfTest(Message):
    """POST /api/self-test: result of the device and network check (P5), kept for the clerk."""

    camera: Literal["ok", "none", "denied", "failed"]
    microphone: Literal["ok", "silent", "none", "denied", "failed"]
    speaker: Literal["ok", "failed", "unchecked"]
    browser: str
    network: NetworkResult | None = None


class NetworkTestBegun(Message):
    """POST /api/network-tests: the offer of a connection that belongs to no sitting; one per person, ended by itself."""

    test_id: str
    sdp: str
    ice_servers: list[IceServerView]
    relay_only: bool


class NetworkTestAnswer(Message):
    """POST /api/network-tests/{id}/answer"""

    sdp: str


class NetworkTestMeasured(Message):
    """GET /api/network-tests/{id}: what the server sees of what the browser sends. Rates are of RTP as received."""

    connected: bool
    up_bps: int  # over the last second
    up_best_bps: int  # over the best second
    up_packets: int  # since the beginning
    up_lost: int
    up_jitter_ms: float
    left_ms: int


class QualitySampleView(PathQuality):
    at: datetime


class PersonQuality(Message):
    participant_id: str
    samples: list[QualitySampleView]  # oldest first


class QualityHistory(Message):
    """GET /api/sittings/{id}/quality (presiding judge, clerk, technician): the last 15 minutes of everyone's path."""

    people: list[PersonQuality]


class HearBackTrack(Message):
    """How one track stands on the disk. Levels are of the last second that was written; null for pictures."""

    track_id: str
    participant_id: str
    kind: Literal["audio", "video", "screen"]
    state: Literal["written", "muted", "lost", "not_written", "not_sent"]
    until_ms: int | None
    age_ms: int | None  # since what was last read back
    rms_dbfs: float | None
    peak_dbfs: float | None
    playable_ms: int
    may_listen: bool  # GET /api/sittings/{id}/hear-back/{track_id}.webm


class HearBackView(Message):
    """GET /api/sittings/{id}/hear-back (clerk, presiding judge, duty desk): what was just written to the disk."""

    recorded: bool  # false: nothing of the present moment is recorded
    tracks: list[HearBackTrack]


# --- the record page ----------------------------------------------------------------------------


class RecordGap(Message):
    t0_ms: int
    t1_ms: int
    cause: str


class RecordTrack(Message):
    track_id: str
    participant_id: str
    kind: Literal["audio", "video", "screen"]
    recorded_ms: int  # all its segments together
    bytes: int
    gaps: list[RecordGap]


class TrackSegments(Message):
    """Segments of one track: index, t0_ms, t1_ms of each, one after another in one flat list."""

    track_id: str
    segments: list[int]


class SegmentPage(Message):
    """GET /api/sittings/{id}/segments/{page}: what lies in RecordView.page_ms of the record clock, and may be seen.

    The bytes: GET /api/sittings/{id}/tracks/{track_id}/segments/{index, six digits}.webm, with Range and If-None-Match, and
    the header X-Court-View: RecordView.view_id.
    """

    tracks: list[TrackSegments]


class RecordHidden(Message):
    """A stretch that this viewer may not see or hear; track_id is empty where it is the whole courtroom."""

    track_id: str
    t0_ms: int
    t1_ms: int
    access: AccessClass


class RecordInterval(Message):
    """Intervals cover 宣布开庭 → 闭庭 without a hole."""

    state: SittingState
    t0_ms: int
    t1_ms: int
    recorded: Literal["full", "sealed", "none"]
    cause: str
    part: Part
    author: str | None  # who ordered it; null: the server
    ruling: str


class RecordStage(Message):
    stage: Stage
    t0_ms: int
    t1_ms: int


class RecordShowing(Message):
    exhibit_id: str
    page: int
    presenter_id: str
    t0_ms: int
    t1_ms: int


class RecordScreen(Message):
    """A person's screen on everybody's (共享屏幕)."""

    participant_id: str
    t0_ms: int
    t1_ms: int


class RecordCheck(Message):
    """The last full verification: every stored byte of both copies was read (A10)."""

    at: datetime
    state: Literal["whole", "healed", "one_copy", "damaged"]  # one_copy: something is whole in one of the stores only
    origin: Literal["sealing", "schedule", "fault", "command"]  # who asked for it
    objects: int
    healed: int
    problems: list[str]


class RecordStamps(Message):
    """Time stamps of the ledger in the sealed manifest; a simulated authority proves no time."""

    made: int
    missing: int
    authority: str
    simulated: bool


class RecordProof(Message):
    """State of the proof of the stored record."""

    state: Literal["sealing", "complete", "complete_with_gaps", "damaged"]
    problems: list[str]
    manifest_sha256: str | None
    check_code: str | None  # 12 characters, XXXX-XXXX-XXXX
    key_fingerprint: str | None
    sealed_at: datetime | None
    destroyed: list[str]  # files that nobody can read any more, by ruling
    last_check: RecordCheck | None
    stamps: RecordStamps | None  # None: not sealed yet


class RecordView(Message):
    """GET /api/sittings/{id}/record. Package: GET /api/hearings/{id}/package.zip"""

    sitting_id: str
    ordinal: int
    hearing: HearingView
    state: SittingState
    opened_at: datetime
    closed_at: datetime | None
    duration_ms: int
    participants: list[ParticipantView]
    tracks: list[RecordTrack]
    intervals: list[RecordInterval]
    stages: list[RecordStage]
    exhibits: list[ExhibitView]
    showings: list[RecordShowing]
    screens: list[RecordScreen]
    lines: list[CaptionView]
    version: int  # whose lines these are: 0 the live draft, else the newest finished version
    may_edit: bool = False  # draft.* over HTTP
    quiet: list[int]  # t0_ms, t1_ms of each stretch in session in which nobody speaks, one after another
    quiet_from: Literal["speech", "muted"]  # how that is known: by what was recognised, or by closed microphones only
    hidden: list[RecordHidden]
    proof: RecordProof
    page_ms: int  # length of a SegmentPage
    viewer: str  # name and time for the watermark
    view_id: str  # this opening of the page in the access log


class NewAccessOrder(Message):
    """POST /api/sittings/{id}/access-orders (presiding judge, after 闭庭): make a stretch stricter. track_id "": everything."""

    track_id: str = ""
    t0_ms: int
    t1_ms: int
    access: Literal["panel", "sealed"] = "sealed"
    ruling: str


class AccessOrderView(Message):
    """GET /api/sittings/{id}/access-orders: one order, as it stands in the record."""

    track_id: str
    t0_ms: int
    t1_ms: int
    access: AccessClass
    ruling: str
    ordered_by: str
    at: datetime


class FilmView(Message):
    """GET /api/sittings/{id}/film: the one film of a sitting (合成录像); POST asks for it once more (clerk, presiding judge).

    The bytes, once it is ready: GET /api/sittings/{id}/film.mp4, with Range.
    """

    state: Literal["none", "queued", "making", "ready", "failed"]
    progress: float  # 0 … 1
    may_ask: bool  # whether this person may have it made now
    bytes: int | None = None
    sha256: str | None = None
    duration_ms: int | None = None
    made_at: datetime | None = None


class VersionView(Message):
    """A final pass over the recording (终稿识别): machine lines of one engine beside the live draft, which is version 0."""

    number: int  # from 1
    state: Literal["waiting", "running", "done", "failed"]
    progress: float  # 0 … 1
    problem: str  # code, "" without any; of a running one: why it waits
    message: str  # the problem in Chinese
    engine: str | None  # "faster-whisper whisper-base 905e5bf8"; null until a worker took it
    model_sha256: str | None
    lines: int
    bleed: int  # lines left out because another microphone told the same words louder
    requested_by: str | None  # participant; null: after the seal, or a clerk without a seat in the hearing
    created_at: datetime
    finished_at: datetime | None


class TranscriptVersions(Message):
    """GET /api/sittings/{id}/transcript/versions. The lines of one: GET …/versions/{number} → CaptionView[] (0: live draft)."""

    live_lines: int
    versions: list[VersionView]
    may_ask: bool  # POST another one (clerk, presiding judge)
    may_compare: bool  # GET /api/sittings/{id}/transcript/diff (panel, clerk)


class TranscriptRequest(Message):
    """POST /api/sittings/{id}/transcript/versions: recognise the recording again with the engine that is set for this use."""

    engine: Literal["final", "second"] = "final"


class DiffPiece(Message):
    kind: Literal["same", "added", "removed"]
    text: str


class DiffRow(Message):
    """Lines of one track that tell the same stretch in both versions, and what of their text is different."""

    change: Literal["same", "changed", "added", "removed"]
    participant_id: str
    label: str
    name: str
    t0_ms: int
    t1_ms: int
    from_ids: list[str]
    to_ids: list[str]
    pieces: list[DiffPiece]  # in reading order


class TranscriptDiff(Message):
    """GET /api/sittings/{id}/transcript/diff?from=0&to=1: in order of time, unchanged rows too."""

    from_version: int
    to_version: int
    rows: list[DiffRow]


class StatementView(Message):
    """GET /api/sittings/{id}/statements; POST drafts anew. 起止与中断情况记录 (course) or 故障说明 (fault); to print: …/{id}/page"""

    id: str
    kind: Literal["course", "fault"]
    title: str
    version: int
    state: Literal["drafted", "confirmed", "signed"]
    sha256: str  # of the exact document
    remarks: str
    drafted_at: datetime
    confirmed_by: str
    confirmed_at: datetime | None
    signed_by: str
    signed_at: datetime | None
    may: Literal["confirm", "sign", ""]  # what this viewer may do with it now


class StatementConfirmation(Message):
    """POST …/statements/{id}/confirm (the clerk, after 闭庭): `sha256` of what was read."""

    sha256: str
    remarks: str = ""


class StatementSignature(Message):
    """POST …/statements/{id}/sign (the presiding judge): `sha256` of what was read."""

    sha256: str


class LineStep(Message):
    """One step of a line's history: by whom it was made what; `text` is that of the line after it."""

    revision: str  # "" for what the machine wrote
    operation: Literal["machine", "replace_text", "split", "merge", "set_speaker"]
    text: str
    speaker: str | None  # participant
    author: str | None
    at: datetime | None
    engine: str | None


class LineHistory(Message):
    """GET /api/sittings/{id}/draft/history?line=: oldest first (bench)."""

    steps: list[LineStep]


class RecordSealed(Message):
    """GET /api/sittings/{id}/sealed: asked again and again while the record is being sealed; it is no read of the record."""

    sealed: bool


class PlayedSpans(Message):
    """POST /api/sittings/{id}/views/{view_id}: what was played since the last report, on the record clock."""

    spans: list[int]  # t0_ms, t1_ms of each, one after another


class RecordRead(Message):
    """GET /api/sittings/{id}/views (who manages the hearing): one opening of the record, newest first, or another read."""

    view_id: str  # "" for reads that are no replay
    what: Literal["record", "captions", "exhibit_original", "film", "package", "hear_back", "transcript"]
    name: str
    at: datetime
    last_at: datetime
    played: list[int]  # t0_ms, t1_ms of each, joined


Ack.model_rebuild()
