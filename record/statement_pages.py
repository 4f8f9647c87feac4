"""A statement to be read and printed: one HTML page of A4 with everything in it, no script, nothing from outside."""

from __future__ import annotations

from html import escape
from typing import Any

from hearing.timeline import from_iso, hh_mm_ss, local_date_time
from record.statement_store import SIGNED, Statement
from record.statements import COURSE

STYLE = """
@page { size: A4; margin: 22mm 20mm 20mm 24mm; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 172mm; padding: 12mm 0; color: #17212f; background: #fff;
  font: 11pt/1.75 "Noto Serif CJK SC", "Source Han Serif SC", "Songti SC", SimSun, serif; }
h1 { margin: 0; font-size: 18pt; text-align: center; letter-spacing: .06em; font-weight: 700; }
h2 { margin: 8mm 0 2mm; font-size: 12pt; }
.court { text-align: center; font-size: 13pt; margin: 0 0 2mm; letter-spacing: .12em; }
.case { text-align: center; margin: 2mm 0 8mm; color: #43505f; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 1mm 6mm; margin: 0 0 4mm; }
dt { color: #43505f; } dd { margin: 0; }
table { width: 100%; border-collapse: collapse; font-size: 10pt; line-height: 1.55; }
th { text-align: start; font-weight: 600; color: #43505f; border-bottom: 1.2pt solid #17212f; padding: 1.2mm 2mm 1.2mm 0; }
td { border-bottom: .5pt solid #c9c4b8; padding: 1.6mm 2mm 1.6mm 0; vertical-align: top; }
tr { break-inside: avoid; } .num { font-variant-numeric: tabular-nums; white-space: nowrap; }
.gap td { font-weight: 600; } .soft { color: #43505f; }
.code { font: 8.5pt/1.5 ui-monospace, monospace; word-break: break-all; }
.remarks { white-space: pre-wrap; min-height: 12mm; }
.sign { display: grid; grid-template-columns: 1fr 1fr; gap: 8mm; margin-top: 12mm; break-inside: avoid; }
.sign p { margin: 0; } .sign b { display: block; min-height: 9mm; border-bottom: .8pt solid #17212f; font-weight: 600; }
footer { margin-top: 10mm; padding-top: 3mm; border-top: .5pt solid #c9c4b8; font-size: 8.5pt; color: #43505f; }
"""


def page_of(statement: Statement, names: dict[str, str]) -> str:
    """The page; `names` leads from participant ids to how the person is named (审判长陈静)."""
    document = statement.document
    body = _course(document) if statement.kind == COURSE else _fault(document)
    remarks = f'<h2>备注</h2><p class="remarks">{escape(document["remarks"]) or "无"}</p>'
    return (
        f'<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>{escape(document["title"])}</title>'
        f"<style>{STYLE}</style>"
        f"<body>{_head(document)}{body}{remarks}{_signatures(statement, names)}{_footer(statement)}</body></html>"
    )


def _head(document: dict[str, Any]) -> str:
    hearing, sitting = document["hearing"], document["sitting"]
    bench = "，".join(f"{escape(p['role'])} {escape(p['name'])}" for p in document["bench"])
    ended = f"{_when(document['ended_at'])} 止" if document["ended_at"] else "尚未闭庭"
    rows = (
        ("案件", f"{escape(hearing['title'])}（{escape(hearing['cause'])}）"),
        ("庭次", f"第 {sitting['ordinal']} 次开庭，{escape(hearing['courtroom'])}，{'公开' if hearing['public'] else '不公开'}审理"),
        ("审判人员、书记员", bench),
        ("录音录像起止", f"{_when(document['started_at'])} 起，{ended}，历时 {_length(document['length_ms'])}"),
    )  # fmt: skip
    listed = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return (
        f'<p class="court">{escape(document["court"])}</p><h1>{escape(document["title"])}</h1>'
        f'<p class="case">{escape(hearing["case_number"])}</p><dl>{listed}</dl>'
    )


def _course(document: dict[str, Any]) -> str:
    rows = "".join(
        f'<tr class="{"gap" if span["interrupted"] else ""}">{_wall_cell(span)}{_clock_cell(span)}<td>{escape(span["cause"])}'
        f"{'<br>' + escape(span['ruling']) if span['ruling'] else ''}</td><td>{escape(span['recording'])}</td>"
        f"<td>{escape(span['author'])}</td></tr>"
        for span in document["spans"]
    )
    interrupted = sum(span["interrupted"] for span in document["spans"])
    said = f"共中断 {interrupted} 次，逐次如下。" if interrupted else "录音录像自宣布开庭起至闭庭止，没有中断。"
    return (
        f"<h2>起止与中断</h2><p>{said}</p><table><thead><tr><th>时间（北京时间）</th><th>录制时刻</th><th>历时</th><th>事由</th><th>录制</th>"
        f"<th>决定人</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def _fault(document: dict[str, Any]) -> str:
    parts = [
        f"<h2>开庭前检查未通过而开庭</h2><p>{_when(one['at'])}，{escape(one['author'])}在“{'、'.join(map(escape, one['checks']))}”"
        f"未通过检查的情况下决定开庭。理由：{escape(one['reason'])}</p>"
        for one in document["overrides"]
    ]
    if document["faults"]:
        rows = "".join(
            f'<tr>{_wall_cell(one)}<td class="num">{_length(one["length_ms"])}</td><td><b>{escape(one["words"])}</b>'
            f'<br>{escape(one["noticed_by"])}<br><span class="code soft">{escape(one["evidence"])}</span></td>'
            f"<td>{'<br>'.join(map(escape, one['tracks'])) or '全体'}</td></tr>"
            for one in document["faults"]
        )
        head = "<th>时间（北京时间）</th><th>历时</th><th>故障、发现方式与依据</th><th>涉及</th>"
        parts.append(f"<h2>录制故障</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    if document["gaps"]:
        rows = "".join(
            f"<tr>{_clock_cell(one)}<td>{escape(one['track'])}</td>"
            f"<td>{escape(one['words'])}<br><span class='soft'>{escape(one['noticed_by'])}</span></td></tr>"
            for one in document["gaps"]
        )
        head = "<th>录制时刻</th><th>缺失</th><th>人员与内容</th><th>原因</th>"
        parts.append(f"<h2>未录到的时段</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>")
    return "".join(parts)


def _signatures(statement: Statement, names: dict[str, str]) -> str:
    confirmed = f"{names.get(statement.confirmed_by, '')}<br>" if statement.confirmed_by else ""
    signed = f"{names.get(statement.signed_by, '')}<br>" if statement.signed_by else ""
    when = [local_date_time(at) if at else "" for at in (statement.confirmed_at, statement.signed_at)]
    return (
        f'<div class="sign"><p class="soft">负责录音录像的人员（确认）<b>{confirmed}</b>{when[0]}</p>'
        f'<p class="soft">审判长／独任审判员（审核签字）<b>{signed}</b>{when[1]}</p></div>'
    )


def _footer(statement: Statement) -> str:
    document, ledger = statement.document, statement.document["ledger"]
    state = "已在系统内审核签字" if statement.state == SIGNED else "未签字"
    return (
        f"<footer>第 {document['version']} 版，{_when(document['drafted_at'])} 由系统根据审计账本第 1—{ledger['entries']} 条生成，{state}。"
        f'<br>内容散列（SHA-256）<span class="code">{statement.sha256}</span></footer>'
    )


def _wall_cell(span: dict[str, Any]) -> str:
    return f'<td class="num">{_when(span["from_at"])}<br>{_when(span["until_at"])}</td>'


def _clock_cell(span: dict[str, Any]) -> str:
    """From, until, how long, on the record clock: two cells."""
    from_until = f"{hh_mm_ss(span['t0_ms'])}<br>{hh_mm_ss(span['t1_ms'])}"
    return f'<td class="num">{from_until}</td><td class="num">{_length(span["length_ms"])}</td>'


def _when(at: str) -> str:
    return local_date_time(from_iso(at))


def _length(length_ms: int) -> str:
    hours, minutes, seconds = length_ms // 3_600_000, length_ms // 60_000 % 60, length_ms % 60_000 / 1000
    if hours:
        return f"{hours} 小时 {minutes} 分"
    return f"{minutes} 分 {seconds:.0f} 秒" if minutes else f"{seconds:.1f} 秒"
