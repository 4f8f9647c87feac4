"""The `court` command. Wrong arguments or settings get one clear line and exit 2."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from court.settings import Settings, SettingsError, environment_name, load_settings, settings_table

OWNER_ONLY = 0o077
"""What is written holds names, voices and faces: on a machine that others use too, it is their owner's alone."""

ROLES = ("signaling", "media", "shipper", "transcripts", "jobs", "finals")
WRONG_USE = 2
DESTROY_NEEDS = {
    "list": (), "order": ("number", "reason", "by"), "approve": ("by",), "run": (), "hold": ("reason", "by"),
    "lift": ("reason", "by"),
}  # fmt: skip
"""The actions of `court destroy`, and what each cannot do without."""


class Parser(argparse.ArgumentParser):
    """An argument parser that says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(WRONG_USE, f"{self.prog}: 参数有误：{_in_chinese(message)}（用法见 {self.prog} --help）\n")


_CHINESE = (
    ("the following arguments are required: ", "缺少 "),
    ("unrecognized arguments: ", "不认识 "),
    ("invalid choice: ", "没有这个选项 "),
    ("expected one argument", "后面应有一个值"),
    ("invalid int value: ", "应为整数 "),
    ("choose from", "可选"),
    ("argument ", ""),
)


def _in_chinese(message: str) -> str:
    for english, chinese in _CHINESE:
        message = message.replace(english, chinese)
    return message


def build_parser() -> Parser:
    parser = Parser(prog="court", description="云庭 Remote Court")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    serve = _command(commands, "serve", "启动全部角色（或用 --role 只启动一个），Ctrl-C 干净停止")
    serve.add_argument("--role", choices=ROLES, help="只运行这一个角色")
    serve.add_argument("--media-workers", type=int, metavar="N", help="媒体进程数（缺省见 COURT_MEDIA_WORKERS）")
    serve.add_argument("--media-worker", type=int, metavar="K", default=1, help="与 --role media 同用：第几个媒体进程")
    serve.add_argument("--tls-self-signed", action="store_true", help="生成自签名证书，供局域网试用")
    serve.add_argument("--parent", type=int, help=argparse.SUPPRESS)
    _add_records(commands)
    _add_trials(commands)
    settings = _command(commands, "settings", "列出全部设置及现值")
    settings.add_argument("--markdown", action="store_true", help="写出文档用的表格")
    return parser


def _add_records(commands: argparse._SubParsersAction[Parser]) -> None:
    """Database, packages, keys."""
    _command(commands, "migrate", "建立或升级数据库")
    _command(commands, "seed-demo", "数据库为空时写入演示法院")
    export = _command(commands, "export", "导出一个庭审的记录包")
    export.add_argument("hearing_id", metavar="HEARING_ID", help="庭审编号 hear_…")
    export.add_argument("--out", type=Path, required=True, metavar="DIR", help="写入的文件夹")
    export.add_argument(
        "--access",
        choices=("parties", "panel", "sealed"),
        default="sealed",
        help="给哪一等级的人：当事人、合议庭、全部（缺省）",
    )
    verify = _command(commands, "verify", "核验记录包：完整为 0，有缺失或改动为 1 并逐一列出")
    verify.add_argument("package", metavar="DIR_OR_ZIP", type=Path, help="记录包文件夹或 zip")
    verify.add_argument("--key", metavar="FINGERPRINT", help="法院公布的签名密钥指纹")
    keys = _command(commands, "keys", "显示签名密钥的指纹，或更换签名密钥、存储密钥")
    keys.add_argument(
        "action", choices=("show", "rotate-signing", "rotate-wrapping"), nargs="?", default="show", help="缺省为显示"
    )
    keys.add_argument("--class", dest="key_class", metavar="CLASS", help="与 rotate-wrapping 同用：哪一类存储密钥，如 parties")
    keys.add_argument("--compromised", action="store_true", help="与 rotate-signing 同用：旧密钥已泄露，不作交接")


def _add_trials(commands: argparse._SubParsersAction[Parser]) -> None:
    """Rehearsals and estimates."""
    _storage_commands(commands)
    _command(commands, "doctor", "检查语音识别引擎能否使用，逐项说明：都可用为 0，否则为 1")
    rehearse = _command(commands, "rehearse", "演练：按脚本由机器人走完一次庭审并核验记录")
    rehearse.add_argument("script", metavar="SCRIPT", type=Path, help="演练脚本 JSON")
    rehearse.add_argument("--loss", type=_share, metavar="SHARE", help="所有机器人双向随机丢失此比例的媒体数据包，如 0.1")
    rehearse.add_argument("--url", help="在已运行的服务器上演练（缺省为临时服务器）")
    rehearse.add_argument("--credentials", type=Path, metavar="FILE", help="与 --url 同用：法院人员账号 JSON")
    rehearse.add_argument("--json", action="store_true", help="向标准输出写 JSON 报告")
    rehearse.add_argument("--export", type=Path, metavar="DIR", help="保留记录包")
    rehearse.add_argument(
        "--stores", nargs=2, metavar=("A", "B"), help="临时服务器的两份存储（缺省为文件夹），写法见 COURT_STORE_A"
    )
    rehearse.add_argument("--folder", type=Path, metavar="DIR", help="临时服务器的文件夹，结束后保留")
    estimate = _command(commands, "estimate", "估算一次庭审所需的磁盘与网络，逐项说明")
    estimate.add_argument("--people", type=int, required=True, metavar="N", help="有音视频的参加人数")
    estimate.add_argument("--hours", type=float, default=1.0, metavar="H", help="开庭时长（缺省 1 小时）")
    estimate.add_argument("--camera-kbps", type=int, default=1000, metavar="K", help="每人摄像头的平均码率（缺省 1000）")
    estimate.add_argument("--voice-kbps", type=int, default=32, metavar="K", help="每人声音的平均码率（缺省 32）")
    estimate.add_argument("--screen-hours", type=float, default=0.0, metavar="H", help="共享屏幕的时长（缺省 0）")
    estimate.add_argument(
        "--outage-hours", type=float, default=1.0, metavar="H", help="存储中断多久仍不影响录制（缺省 1 小时）"
    )


def _storage_commands(commands: argparse._SubParsersAction[Parser]) -> None:
    check = _command(commands, "check", "立即核验存储中的两份副本并修复：完好为 0，否则为 1 并逐一列出")
    check.add_argument("sitting_id", metavar="SITTING_ID", nargs="?", help="庭次编号 sit_…")
    check.add_argument("--all", action="store_true", help="全部开过庭的庭次")
    check.add_argument("--fill", action="store_true", help="允许补写一处看来是空的存储（新磁盘、新存储桶）")
    backup = _command(commands, "backup", "备份数据库（不停机）；--keys 同时把密钥备份到另一处")
    restore = _command(commands, "restore", "把备份恢复到新的安装（COURT_DATA、COURT_KEYS 或 COURT_DATABASE_URL）")
    _add_destroy(_command(commands, "destroy", "保存期满后依法销毁一个庭审的记录：提出、另一人批准、执行"))
    for command in (backup, restore):
        command.add_argument("folder", metavar="DIR", type=Path, help="数据库备份所在的文件夹")
        command.add_argument("--keys", metavar="KEYS_DIR", type=Path, help="密钥备份所在的文件夹，不得在 DIR 之内")


def _add_destroy(parser: Parser) -> None:
    parser.add_argument("action", choices=tuple(DESTROY_NEEDS), help="列出、提出、批准并执行、继续执行、设置保全或中止、解除")
    parser.add_argument("id", metavar="ID", help="庭审编号 hear_…（list、order、hold），销毁令 destr_…，保全 hold_…")
    parser.add_argument("--number", metavar="NUMBER", help="销毁决定的文号")
    parser.add_argument("--reason", metavar="TEXT", help="理由或依据")
    parser.add_argument("--by", metavar="LOGIN", help="经办人的登录名；密码另行输入")
    parser.add_argument("--dry-run", action="store_true", help="只列出将销毁什么、有什么妨碍，不作任何改动")


def _share(text: str) -> float:
    """A share of packets that leaves a hearing possible."""
    share = float(text)
    if not 0.0 <= share <= 0.5:
        raise argparse.ArgumentTypeError("须在 0 与 0.5 之间")
    return share


def _command(commands: argparse._SubParsersAction[Parser], name: str, help_line: str) -> Parser:
    return commands.add_parser(name, help=help_line, description=help_line)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = build_parser().parse_args(arguments)
    os.umask(OWNER_ONLY)
    try:
        return _COMMANDS[options.command](options)
    except SettingsError as error:
        print(f"court: {error}", file=sys.stderr)
        return WRONG_USE
    except KeyboardInterrupt:
        return 130


def _serve(options: argparse.Namespace) -> int:
    settings = load_settings() if options.media_workers is None else load_settings(media_workers=options.media_workers)
    if options.role:
        if not 1 <= options.media_worker <= settings.media_workers:
            raise SettingsError(f"--media-worker 应在 1 与 {settings.media_workers} 之间")
        from court.roles.run import run_role

        return run_role(options.role, settings, options.parent, options.media_worker)
    from court.supervisor import supervise

    return supervise(settings, tls_self_signed=options.tls_self_signed)


def _migrate(_options: argparse.Namespace) -> int:
    from court.maintenance import migrate

    return migrate(load_settings())


def _seed_demo(_options: argparse.Namespace) -> int:
    from court.maintenance import seed_demo

    return seed_demo(load_settings())


def _export(options: argparse.Namespace) -> int:
    from court.maintenance import export

    return export(load_settings(), options.hearing_id, options.out, options.access)


def _verify(options: argparse.Namespace) -> int:
    from record.verify import main as verify

    return verify([str(options.package), *(["--key", options.key] if options.key else [])])


def _keys(options: argparse.Namespace) -> int:
    from court.maintenance import rotate_signing, show_keys

    if options.action == "rotate-wrapping":
        from court.storage_commands import rotate_wrapping

        if not options.key_class:
            print("court keys: rotate-wrapping 须用 --class 指明类别", file=sys.stderr)
            return WRONG_USE
        return rotate_wrapping(load_settings(), options.key_class)
    if options.action == "rotate-signing":
        return rotate_signing(load_settings(), compromised=options.compromised)
    return show_keys(load_settings())


def _check(options: argparse.Namespace) -> int:
    from court.storage_commands import check

    if bool(options.sitting_id) == options.all:
        print("court check: 须给出 SITTING_ID 或 --all 之一", file=sys.stderr)
        return WRONG_USE
    return check(load_settings(), options.sitting_id, fill=options.fill)


def _backup(options: argparse.Namespace) -> int:
    from court.storage_commands import backup

    return backup(load_settings(), options.folder, options.keys)


def _restore(options: argparse.Namespace) -> int:
    from court.storage_commands import restore

    return restore(load_settings(), options.folder, options.keys)


def _destroy(options: argparse.Namespace) -> int:
    missing = [name for name in DESTROY_NEEDS[options.action] if not getattr(options, name)]
    if missing and not (options.dry_run and options.action == "order"):
        print(f"court destroy: {options.action} 须给出 --{missing[0]}", file=sys.stderr)
        return WRONG_USE
    from court.destroy_commands import destroy

    return destroy(load_settings(), options)


def _rehearse(options: argparse.Namespace) -> int:
    from court.rehearsal.command import rehearse

    if bool(options.url) != bool(options.credentials):
        print("court rehearse: --url 与 --credentials 须同时给出", file=sys.stderr)
        return WRONG_USE
    return rehearse(options)


def _doctor(_options: argparse.Namespace) -> int:
    from court.doctor import doctor

    return doctor(load_settings())


def _estimate(options: argparse.Namespace) -> int:
    from court.estimate import Load, estimate, explained

    if options.people < 1 or options.hours <= 0 or options.camera_kbps < 0 or options.voice_kbps < 0:
        print("court estimate: --people 与 --hours 须为正数，码率不得为负", file=sys.stderr)
        return WRONG_USE
    load = Load(
        people=options.people, hours=options.hours, camera_bps=options.camera_kbps * 1000, voice_bps=options.voice_kbps * 1000,
        screen_hours=options.screen_hours, outage_hours=options.outage_hours,
    )  # fmt: skip
    print(explained(load, estimate(load)))
    return 0


def _settings(options: argparse.Namespace) -> int:

    if options.markdown:
        print(settings_table())
        return 0
    _print_settings(load_settings())
    return 0


def _print_settings(settings: Settings) -> None:

    secret = {"database_url", "redis_url", "ice_servers", "turn_secret", "store_a", "store_b", "speech_key"}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = "（已设置，不显示）" if name in secret and value else value
        print(f"{environment_name(name)}={'' if shown in (None, ()) else shown}\n    {field.description}")


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "serve": _serve,
    "migrate": _migrate,
    "seed-demo": _seed_demo,
    "export": _export,
    "verify": _verify,
    "keys": _keys,
    "check": _check,
    "backup": _backup,
    "restore": _restore,
    "destroy": _destroy,
    "rehearse": _rehearse,
    "doctor": _doctor,
    "estimate": _estimate,
    "settings": _settings,
}
