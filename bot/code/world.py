"""A series to worlds: its files, and what else is known of the tree, before it and after each of its patches."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bot.code.fragment import Sparse, sections_of, shown
from bot.code.patching import Line, MisfitError, applied, lines_of, unapplied
from bot.model import Base, Context, FileChange, FileDiff, Hunk, Image, Wanted, World

_SOURCE = (".c", ".h")
# Marks the path of a file in the tree's state, beside the fragment of it that patches show which do not fit there.
OTHER_STATE = "~"


@dataclass(frozen=True)
class Worlds:
    """The world before a series, the worlds after each of its patches, and how they came about."""

    before: World
    after: tuple[World, ...]
    context: Context = Context.HUNK
    notes: tuple[str, ...] = ()
    brought: Mapping[str, Mapping[int, int]] = field(default_factory=dict)  # path -> line of the last world -> patch
    misfits: frozenset[str] = frozenset()  # files of the base on which the patches do not fit

    def origin(self, path: str, line: int) -> int:
        """The number of the patch that brought a line of the last world, 0 when it is older than the series."""
        return self.brought.get(path, {}).get(line, 0)


@dataclass(slots=True)
class _Track:
    """One file through the series, under all its names."""

    base_path: str
    blob: str
    born: bool  # the series makes the file
    changes: list[tuple[int, FileDiff]] = field(default_factory=list)

    @property
    def path(self) -> str:
        return self.changes[-1][1].path


@dataclass(slots=True)
class _Told:
    """The states of one file, one for each world (None: it is not there), and the last one's new lines."""

    states: list[Image | None]
    brought: dict[int, int]
    from_tree: bool = False
    misfit: bool = False
    fragment: bool = False


def wanted_files(patches: Sequence[Sequence[FileDiff]]) -> Wanted:
    """The C files that a series changes, as they are before it: (path, blob id)."""
    tracks = _tracks(patches)
    return Wanted(files=tuple((track.base_path, track.blob) for track in tracks if not track.born))


def worlds(patches: Sequence[Sequence[FileDiff]], base: Base, *, steps: bool = True) -> Worlds:
    """Worlds from whole files where the base has them and the diff fits, from fragments elsewhere.

    ``patches`` are the file diffs of each patch, in order.  Only C is looked at.  Without ``steps`` a fragment is drawn
    once, as it is in the end, and stands for all its states: for who knows that they say nothing.
    """
    notes: list[str] = []
    told = [(track, _tell(track, len(patches), base, notes, steps=steps)) for track in _tracks(patches)]
    mine = {diff.path for track, _ in told for _, diff in track.changes} | {track.base_path for track, _ in told}
    others = [
        Image(path, text, outline=base.outlines.get(path, b""))
        for path, text in base.texts.items()
        if text is not None and path not in mine and path.endswith(_SOURCE)
    ]
    others += [
        Image(track.base_path + OTHER_STATE, text, outline=base.outlines.get(track.base_path, b""))
        for track, file in told
        if file.misfit and not track.born and (text := base.texts.get(track.base_path)) is not None
    ]

    def world(number: int) -> World:
        images = [state for _, file in told if (state := file.states[number]) is not None]
        return World(tuple(sorted(images + others, key=lambda image: image.path)), base.name)

    return Worlds(
        before=world(0),
        after=tuple(world(number) for number in range(1, len(patches) + 1)),
        context=_context([file for _, file in told]),
        notes=tuple(notes),
        brought={track.path: file.brought for track, file in told},
        misfits=frozenset(track.path for track, file in told if file.misfit),
    )


def _context(told: Sequence[_Told]) -> Context:
    if any(file.from_tree for file in told):
        return Context.TREE
    return Context.FILE if told and not any(file.fragment for file in told) else Context.HUNK


def _tracks(patches: Sequence[Sequence[FileDiff]]) -> list[_Track]:
    """The C files of a series, each followed through its renames."""
    tracks: list[_Track] = []
    now: dict[str, _Track] = {}
    for number, files in enumerate(patches, start=1):
        for diff in files:
            if diff.binary or not diff.path.endswith(_SOURCE):
                continue
            old = diff.old_path or diff.path
            track = now.pop(old, None) if diff.change is not FileChange.COPIED else None
            if track is None:
                track = _Track(old, diff.old_blob, diff.change in {FileChange.ADDED, FileChange.COPIED})
                tracks.append(track)
            track.changes.append((number, diff))
            if diff.change is not FileChange.DELETED:
                now[diff.path] = track
    return tracks


def _tell(track: _Track, patches: int, base: Base, notes: list[str], *, steps: bool) -> _Told:
    text = base.texts.get(track.base_path)
    if track.born and track.changes[0][1].change is FileChange.ADDED:
        text = ""
    if text is not None:
        told = _tell_whole(track, patches, lines_of(text), base.name, notes)
        if told is not None:
            first = told.states[0]
            if first is not None and first.text == text:
                told.states[0] = replace(first, outline=base.outlines.get(track.base_path, b""))
            told.from_tree = not track.born
            return told
    elif base.name:
        notes.append(f"{track.base_path} is not in {base.name}: seen in its hunks alone")
    told = _tell_fragment(track, patches, steps=steps)
    told.misfit = bool(base.name)
    return told


def _tell_whole(track: _Track, patches: int, lines: tuple[Line, ...], base: str, notes: list[str]) -> _Told | None:
    """The states of a file that is known as a whole; None, and a note, when the patches do not fit on it."""
    try:
        states = _fitted(track, lines, fuzz=False)
    except MisfitError:
        older = _older(track, lines)
        if older is not None:
            notes.append(f"{track.path}: {base} has this change already, so it was taken off first")
        try:
            states = _fitted(track, older if older is not None else lines, fuzz=True)
        except MisfitError as misfit:
            notes.append(f"{track.path}: {misfit} in {base}: seen in its hunks alone; give the tree it was made for")
            return None
        if older is None:
            notes.append(f"{track.path}: fits {base or 'the tree'} with fuzz only")
    images: list[Image | None] = [None if track.born else _whole(track.base_path, states[0])]
    place = 0
    for number in range(1, patches + 1):
        if place < len(track.changes) and track.changes[place][0] == number:
            diff = track.changes[place][1]
            place += 1
            images.append(None if diff.change is FileChange.DELETED else _whole(diff.path, states[place]))
        else:
            images.append(images[-1])
    return _Told(images, {n: line.patch for n, line in enumerate(states[-1], start=1) if line.patch})


def _whole(path: str, lines: Sequence[Line]) -> Image:
    return Image(path, "".join(f"{line.text}\n" for line in lines))


def _fitted(track: _Track, lines: tuple[Line, ...], *, fuzz: bool) -> list[tuple[Line, ...]]:
    states = [lines]
    for number, diff in track.changes:
        try:
            states.append(applied(states[-1], diff.hunks, number, fuzz=fuzz))
        except MisfitError as misfit:
            raise MisfitError(f"patch {number} does not apply: {misfit}") from None
    return states


def _older(track: _Track, lines: tuple[Line, ...]) -> tuple[Line, ...] | None:
    """The file without the series, when the tree has the series already."""
    for fuzz in (False, True):
        older = lines
        try:
            for _, diff in reversed(track.changes):
                older = unapplied(older, diff.hunks, fuzz=fuzz)
        except MisfitError:
            continue
        return older
    return None


# -- files of which only the hunks are known


def _tell_fragment(track: _Track, patches: int, *, steps: bool) -> _Told:
    """The states of a file of which the hunks of all patches are all that is known.

    What a later patch shows of the base was there before too, so the first state gathers the old lines of all patches.
    """
    sparse: dict[int, Line] = {}
    headers: dict[int, str] = {}
    moves = [_Moves(diff.hunks) for _, diff in track.changes]
    for place, (_, diff) in enumerate(track.changes):
        earlier = moves[:place]
        for number, text in _old_lines(diff.hunks):
            base = _base_line(number, earlier)
            if base:
                sparse.setdefault(base, Line(text))
        for number, section in sections_of(diff.hunks).items():
            base = _base_line(number, earlier)
            if base:
                headers.setdefault(base, section)
    images: list[Image | None] = [shown(headers, sparse, track.base_path) if steps and not track.born else None]
    place = 0
    for number in range(1, patches + 1):
        if place < len(track.changes) and track.changes[place][0] == number:
            diff, moved = track.changes[place][1], moves[place]
            place += 1
            sparse = _moved_on(sparse, moved, diff.hunks, number)
            headers = {moved.new(line): section for line, section in headers.items()}
            headers = {**headers, **sections_of(diff.hunks, after=True)}
            drawn = diff.change is not FileChange.DELETED and (steps or place == len(track.changes))
            images.append(shown(headers, sparse, diff.path) if drawn else None)
        else:
            images.append(images[-1])
    return _Told(images, {number: line.patch for number, line in sparse.items() if line.patch}, fragment=True)


def _old_lines(hunks: Sequence[Hunk]) -> Iterator[tuple[int, str]]:
    for hunk in hunks:
        number = hunk.old_start
        for line in hunk.lines:
            if line[0] != "+":
                yield number, line[1:]
                number += 1


def _base_line(number: int, earlier: Sequence[_Moves]) -> int:
    """The line of the base that became line ``number`` after the earlier patches, 0 for one that they brought."""
    for moves in reversed(earlier):
        number = moves.old(number)
        if not number:
            return 0
    return number


class _Moves:
    """Where the lines of a file are after some hunks, and where they were before."""

    def __init__(self, hunks: Sequence[Hunk]) -> None:
        self.after: dict[int, int] = {}  # lines in hunks; a removed one is where its successor is
        self.before: dict[int, int] = {}  # 0 for an added one
        self._old_ends, self._old_shifts = [0], [0]  # lines from which on, and by how many they are shifted
        self._new_ends, self._new_shifts = [0], [0]
        for hunk in hunks:
            # A hunk without lines on one side counts from the line above.
            old, new = hunk.old_start + (not hunk.old_count), hunk.new_start + (not hunk.new_count)
            for line in hunk.lines:
                if line[0] == "+":
                    self.before[new] = 0
                else:
                    self.after[old] = new
                    if line[0] == " ":
                        self.before[new] = old
                old += line[0] != "+"
                new += line[0] != "-"
            self._old_ends.append(old)
            self._old_shifts.append(new - old)
            self._new_ends.append(new)
            self._new_shifts.append(old - new)

    def new(self, number: int) -> int:
        found = self.after.get(number)
        if found is not None:
            return found
        found = number + self._old_shifts[bisect_right(self._old_ends, number) - 1]
        return found if found > 1 else 1  # asked for each line of each patch: max() takes thrice as long

    def old(self, number: int) -> int:
        found = self.before.get(number)
        if found is not None:
            return found
        found = number + self._new_shifts[bisect_right(self._new_ends, number) - 1]
        return found if found > 1 else 1


def _moved_on(sparse: Sparse, moves: _Moves, hunks: Sequence[Hunk], patch: int) -> dict[int, Line]:
    """The known lines after a patch."""
    kept = {new: old for old, new in moves.after.items() if moves.before.get(new) == old}
    removed = moves.after.keys() - kept.values()
    result = {moves.new(number): line for number, line in sparse.items() if number not in removed}
    for hunk in hunks:
        number = hunk.new_start
        for line in hunk.lines:
            if line[0] == "+":
                result[number] = Line(line[1:], patch)
            number += line[0] != "-"
    return result
