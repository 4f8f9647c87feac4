"""The words of one case (案件词表): what recognition should know before anybody says it.

Names of persons are personal data: the vocabulary is never logged, its text never shown by repr, and a line stores only a
fingerprint of what its engine was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from hashlib import sha256

TOKENS = 60  # of the decoder's 223 for what stands before a stretch; court words and the opening sentence need the rest
TOKENS_PER_CHARACTER = 1.3  # of Whisper's tokenizer over names and legal words; one more for the mark between two words
LONGEST_WORD = 16  # characters; a longer title is no word that anybody says
MOST_WORDS = 200

GENERAL = "*"  # in the table of legal words: those of every civil hearing

_BRACKETS = re.compile(r"[（(【\[][^）)】\]]*[）)】\]]")
_BETWEEN = re.compile(r"[、，,；;/\s]+|诉|与(?=\S{2})")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]+")
_PERSON = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]{2,4}|[\u4e00-\u9fff]{1,8}·[\u4e00-\u9fff]{1,8}")
_ORGANISATION = re.compile(
    r".{2,}(?:公司|企业|银行|支行|分行|工厂|商店|商行|经营部|工作室|合作社|事务所|委员会|学校|医院|大学|中心|集团|协会"
    r"|门市部|超市|厂|店|局|院)"
)
_LEGAL_FORM = re.compile(r"(?:股份|集团)?(?:有限责任公司|有限公司|股份公司|公司)$")
_TRADE = re.compile(
    r"(?:建筑|建材|装饰|工程|科技|网络|信息|技术|贸易|商贸|实业|投资|置业|房地产|物业|物流|运输|食品|餐饮|服装|电子|机械"
    r"|医药|文化|传媒|咨询|服务|管理|保险|发展|开发|材料|设备|制造)+$"
)
_REGION = re.compile(
    r"(?:[\u4e00-\u9fff]{2,3}?(?:省|自治区))?(?:[\u4e00-\u9fff]{2,4}?(?:市|自治州))?(?:[\u4e00-\u9fff]{1,4}?(?:区|县))?"
)
_PLACE = re.compile(
    r"(?:^|(?<=[在于住至从到位、，：省市区县州路街镇]))(?![在于住至从到位])"
    r"(?:[\u4e00-\u9fff]{2,3}?(?:省|自治区)|[\u4e00-\u9fff]{2,4}?(?:市|自治州)|[\u4e00-\u9fff]{1,4}?(?:区|县)"
    r"|[\u4e00-\u9fff]{2,4}?(?:街道|大道|路|街|巷|镇|乡|村|小区|花园|大厦))"
)
_CAUSE_END = re.compile(r"(?:合同)?(?:纠纷|争议)$|案$")


@dataclass(frozen=True, slots=True)
class CaseWords:
    """What may be said in a hearing that no dictionary knows, each kind best first."""

    names: tuple[str, ...] = field(default=(), repr=False)  # persons (当事人, 代理人, 证人, 审判人员)
    companies: tuple[str, ...] = field(default=(), repr=False)  # in full, then as they are called
    places: tuple[str, ...] = field(default=(), repr=False)
    exhibits: tuple[str, ...] = field(default=(), repr=False)  # titles, in their parts
    added: tuple[str, ...] = field(default=(), repr=False)  # typed by the clerk for this hearing
    legal: tuple[str, ...] = ()  # of the cause of action (案由)

    @property
    def own(self) -> tuple[str, ...]:
        """The words of this very case: what a clerk should look at wherever it stands."""
        return _once((*self.names, *self.added, *self.companies, *self.places, *self.exhibits))

    @property
    def replacements(self) -> tuple[str, ...]:
        """Words that may take the place of what sounds like them."""
        return _once((*self.own, *self.legal))

    @property
    def terms(self) -> tuple[str, ...]:
        """Words for the engine's prompt, as many as fit into `TOKENS`, best first."""
        chosen, spent = [], 0.0
        for word in self.replacements:
            cost = 1 + len(word) * TOKENS_PER_CHARACTER
            if spent + cost <= TOKENS:
                chosen.append(word)
                spent += cost
        return tuple(chosen)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the words, "" without any: says whether two lines were made with the same vocabulary, and not which."""
        words = [self.names, self.companies, self.places, self.exhibits, self.added, self.legal]
        return sha256(json.dumps(words, ensure_ascii=False).encode()).hexdigest() if any(words) else ""

    def __len__(self) -> int:
        return len(self.replacements)


NO_WORDS = CaseWords()


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """What the court's own data say of a case, as stored."""

    people: tuple[str, ...] = field(default=(), repr=False)
    cause: str = ""
    title: str = field(default="", repr=False)
    exhibits: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # title, what it is to prove (证明目的)
    added: tuple[str, ...] = field(default=(), repr=False)


def case_words(facts: CaseFacts, table: Mapping[str, Sequence[str]]) -> CaseWords:
    """The vocabulary of a case; `table`: legal words by cause of action, those of every hearing under `GENERAL`."""
    parties = [part for text in (*facts.people, _parties_of(facts)) for part in _BETWEEN.split(_BRACKETS.sub("", text)) if part]
    organisations = [party for party in parties if _ORGANISATION.fullmatch(party)]
    titles = [title for title, _ in facts.exhibits]
    said_of = [*organisations, *titles, *(purpose for _, purpose in facts.exhibits)]
    return CaseWords(
        names=_once(party for party in parties if _PERSON.fullmatch(party) and party not in organisations),
        companies=_once((*organisations, *(short for name in organisations for short in short_names(name)))),
        places=_once(place for text in said_of for place in places_in(text)),
        exhibits=_once(part for title in titles for part in _HAN.findall(_BRACKETS.sub("", title)) if len(part) > 1),
        added=_once(facts.added),
        legal=legal_words(facts.cause, table),
    )


def read_words(data: object) -> CaseWords:
    """The vocabulary as it travels (asdict of CaseWords as JSON). Raises ValueError; kinds a newer sender adds are left out."""
    if not isinstance(data, dict):
        raise ValueError("a vocabulary is an object")  # noqa: TRY004  bad data, not a bad call
    kinds: dict[str, tuple[str, ...]] = {}
    for kind in (each.name for each in fields(CaseWords)):
        words = data.get(kind, [])
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"a vocabulary's {kind} is a list of words")
        kinds[kind] = _once(words)
    return CaseWords(**kinds)


def short_names(company: str) -> tuple[str, ...]:
    """What people call a company: 上海市江宁建材有限公司 → 江宁建材, 江宁公司."""
    bare = _LEGAL_FORM.sub("", company)
    if region := _REGION.match(bare):
        bare = bare[region.end() :]
    brand = _TRADE.sub("", bare)
    names = [bare] if len(bare) > 2 and bare != company else []
    if company.endswith("公司") and 2 <= len(brand) <= 4 and f"{brand}公司" != company:
        names.append(f"{brand}公司")
    return tuple(names)


def places_in(text: str) -> tuple[str, ...]:
    """Names of places by their endings: 上海市, 静安区, 江宁路."""
    return tuple(place for place in _PLACE.findall(text) if len(place) > 2)


def legal_words(cause: str, table: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The words of the cause of action, the cause itself first, then those of every hearing."""
    bare = _CAUSE_END.sub("", cause.strip())
    own = [
        word
        for known, words in table.items()
        if known != GENERAL and bare and (known in cause or bare in known)
        for word in words
    ]
    return _once((*((cause.strip(),) if bare else ()), *own, *table.get(GENERAL, ())))


def _parties_of(facts: CaseFacts) -> str:
    """张伟诉李强民间借贷纠纷 → 张伟诉李强; a title without 诉 names nobody for sure."""
    title = _BRACKETS.sub("", facts.title)
    if "诉" not in title:
        return ""
    return title.removesuffix(facts.cause).removesuffix("案") if title.endswith(facts.cause) else ""


def _once(words: Iterable[str]) -> tuple[str, ...]:
    """Each word once, of a length that can be said and heard."""
    kept = dict.fromkeys(word.strip() for word in words)
    return tuple(word for word in kept if 2 <= len(word) <= LONGEST_WORD)[:MOST_WORDS]
