"""A series to worlds: its files, and what else is known of the tree, before it and after each of its patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from bot.code.fragment import shown
from bot.code.patching import Line, MisfitError, applied, lines_of, unapplied
from bot.code.restored import restored
from bot.code.shown_lines import shown_lines
from bot.model import Base, Context, FileChange, FileDiff, Image, Wanted, World

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
    # Those of them whose other lines are taken from the base all the same; which lines of the last world hunks show.
    restored: Mapping[str, frozenset[int]] = field(default_factory=dict)

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
    shown: frozenset[int] = frozenset()  # lines of the last state that stand in hunks
    notes: tuple[str, ...] = ()


def wanted_files(patches: Sequence[Sequence[FileDiff]]) -> Wanted:
    """The C files that a series changes, as they are before it: (path, blob id)."""
    tracks = _tracks(patches)
    return Wanted(files=tuple((track.base_path, track.blob) for track in tracks if not track.born))


def worlds(patches: Sequence[Sequence[FileDiff]], base: Base, *, steps: bool = True) -> Worlds:
    """Worlds from whole files where the base has them and the diff fits, from fragments elsewhere.

    ``patches`` are the file diffs of each patch, in order.  Only C is looked at.  Without ``steps`` a fragment is drawn
    once, as it is in the end, and stands for all its states: for who knows that they say nothing.
    """
    told = _told(tuple(map(tuple, patches)), base.name, _known(wanted_files(patches), base), steps=steps)
    mine = {diff.path for track, _ in told for _, diff in track.changes} | {track.base_path for track, _ in told}
    others = [
        Image(path, text, outline=base.outlines.get(path, b""))
        for path, text in base.texts.items()
        if text is not None and path not in mine and path.endswith(_SOURCE)
    ]
    others += [
        Image(track.base_path + OTHER_STATE, text, outline=base.outlines.get(track.base_path, b""))
        for track, file in told
        if file.misfit
        and not file.from_tree
        and not track.born
        and (text := base.texts.get(track.base_path)) is not None
    ]

    def world(number: int) -> World:
        images = [state for _, file in told if (state := file.states[number]) is not None]
        return World(tuple(sorted(images + others, key=lambda image: image.path)), base.name)

    return Worlds(
        before=world(0),
        after=tuple(world(number) for number in range(1, len(patches) + 1)),
        context=_context([file for _, file in told]),
        notes=tuple(note for _, file in told for note in file.notes),
        brought={track.path: file.brought for track, file in told},
        misfits=frozenset(track.path for track, file in told if file.misfit),
        restored={track.path: file.shown for track, file in told if file.misfit and file.from_tree},
    )


_KnownFiles = tuple[tuple[str, str, bytes], ...]
"""(path, text, outline) of files of a base."""


def _known(files: Wanted, base: Base) -> _KnownFiles:
    texts = ((path, base.texts.get(path)) for path, _ in files.files)
    return tuple((path, text, base.outlines.get(path, b"")) for path, text in texts if text is not None)


@lru_cache(maxsize=2)  # a review draws the same files once for each question that it asks of the tree
def _told(
    patches: Sequence[Sequence[FileDiff]], base: str, known: _KnownFiles, *, steps: bool
) -> tuple[tuple[_Track, _Told], ...]:
    files = {path: Image(path, text, outline=outline) for path, text, outline in known}
    return tuple(
        (track, _tell(track, len(patches), base, files.get(track.base_path), steps=steps)) for track in _tracks(patches)
    )


def _context(told: Sequence[_Told]) -> Context:
    if any(file.from_tree for file in told):
        return Context.TREE if any(file.from_tree and not file.misfit for file in told) else Context.NEAR
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


def _tell(track: _Track, patches: int, base: str, known: Image | None, *, steps: bool) -> _Told:
    notes: list[str] = []
    if track.born and track.changes[0][1].change is FileChange.ADDED:
        known = Image(track.base_path, "")
    if known is not None:
        try:
            told = _tell_whole(track, patches, lines_of(known.text), base, notes)
        except MisfitError as misfit:
            near = None if track.born else _tell_restored(track, patches, known.text.removesuffix("\n").split("\n"))
            how = "seen in its hunks alone" if near is None else "what its hunks do not show is taken from there"
            notes.append(f"{track.path}: {misfit} in {base}: {how}; give the tree it was made for")
            if near is not None:
                return replace(near, notes=tuple(notes))
        else:
            first = told.states[0]
            if first is not None and first.text == known.text:
                told.states[0] = replace(first, outline=known.outline)
            return replace(told, from_tree=not track.born, notes=tuple(notes))
    elif base:
        notes.append(f"{track.base_path} is not in {base}: seen in its hunks alone")
    told = _tell_fragment(track, patches, steps=steps)
    return replace(told, misfit=bool(base), notes=tuple(notes))


def _tell_whole(track: _Track, patches: int, lines: tuple[Line, ...], base: str, notes: list[str]) -> _Told:
    """The states of a file that is known as a whole.  Raises MisfitError when the patches do not fit on it."""
    try:
        states = _fitted(track, lines, fuzz=False)
    except MisfitError:
        older = _older(track, lines)
        if older is not None:
            notes.append(f"{track.path}: {base} has this change already, so it was taken off first")
        states = _fitted(track, older if older is not None else lines, fuzz=True)
        if older is None:
            notes.append(f"{track.path}: fits {base or 'the tree'} with fuzz only")
    images = _images(track, patches, lambda place, path: _whole(path, states[place]))
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


def _tell_fragment(track: _Track, patches: int, *, steps: bool) -> _Told:
    """The states of a file of which the hunks of all patches are all that is known."""
    known = shown_lines(track.changes)

    def image(place: int, path: str) -> Image | None:
        drawn = steps or place == len(track.changes)
        return shown(known[place].headers, known[place].lines, path) if drawn else None

    return _Told(_images(track, patches, image), known[-1].brought, fragment=True)


def _tell_restored(track: _Track, patches: int, base: Sequence[str]) -> _Told | None:
    """The states of a file of which another state is known; None when that helps nothing."""
    known = shown_lines(track.changes)
    image = restored(known, base)
    if image is None:
        return None
    return _Told(
        _images(track, patches, image), known[-1].brought, from_tree=True, misfit=True, shown=frozenset(known[-1].lines)
    )


def _images(track: _Track, patches: int, image: Callable[[int, str], Image | None]) -> list[Image | None]:
    """The states of a file in each world, of its states after each change: ``image(changes made, path)``."""
    images: list[Image | None] = [None if track.born else image(0, track.base_path)]
    place = 0
    for number in range(1, patches + 1):
        if place < len(track.changes) and track.changes[place][0] == number:
            diff = track.changes[place][1]
            place += 1
            images.append(None if diff.change is FileChange.DELETED else image(place, diff.path))
        else:
            images.append(images[-1])
    return images
