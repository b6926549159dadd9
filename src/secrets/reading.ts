/**
 * Reads one text after another for secrets, each whole or in parts. The outcome does not depend on where the parts were cut.
 *
 * Every place where a rule's match may begin is asked once, and only when no text to come could change the answer.
 */
import { AnchorBatch, longestBatched } from "./anchor-batch.ts";
import { contextReach, EncodedTextFinder, type EncodedText } from "./encoded-text.ts";
import { findOpenMask } from "./mask-form.ts";
import { OpenPlaces, type Progress } from "./open-places.ts";
import { chooseSecrets, type FoundSecret } from "./overlap.ts";
import { furthestBefore, longestAnchor } from "./regex-anchors.ts";
import { forgetTexts } from "./remembered.ts";
import { targetsOf, type Aim, type ScanProgram } from "./scan-program.ts";
import { TextAtHand, type DecodedFrom } from "./text-at-hand.ts";

/** Encoded text within encoded text is read this far down. */
const deepestEncoding = 3;

export class Reading {
  readonly text = new TextAtHand();
  /** What has been found, and is not chosen yet. */
  found: FoundSecret[] = [];
  private readonly program: ScanProgram;
  /** How many encodings the text has been read out of. */
  private readonly depth: number;
  private readonly places = new OpenPlaces(this.text);
  private readonly encodedTexts = new EncodedTextFinder();
  private readonly batch = new AnchorBatch();
  private isActive: Uint8Array = new Uint8Array();
  /** Tried wherever a keyword of theirs has come shortly before. */
  private armed: Progress[] = [];
  /** In a text that comes in parts; null until the first. */
  private backwards: readonly Progress[] | null = null;
  private signsTo = 0;
  private hasZeros = false;
  /** Whether the text came in parts. */
  private wasCut = false;

  constructor(program: ScanProgram, depth = 0) {
    this.program = program;
    this.depth = depth;
  }

  /**
   * Begins a text, and forgets the one before.
   * @param isActive which matchers take part, by their order; the others are not meant for this text.
   * @param path as of `Detector.detect`
   * @param context how much of its beginning is there to be read with the rest only: it has been decoded where it was found
   * @param decodedFrom where it was found, if only what reaches something that decoding has changed is asked for
   */
  begin(isActive: Uint8Array, path: string | undefined, context = 0, decodedFrom: DecodedFrom | null = null): void {
    this.forget();
    this.text.begin(path, decodedFrom);
    this.isActive = isActive;
    this.armed = this.activeOf(this.program.everywhere);
    for (const progress of this.armed) progress.armedTo = Infinity;
    this.backwards = null;
    this.encodedTexts.context = context;
    this.signsTo = 0;
    this.hasZeros = false;
    this.wasCut = false;
  }

  /** Lets go of all that is there of the text. */
  forget(): void {
    this.text.hold("");
    this.places.forget();
    this.encodedTexts.forget();
    this.batch.clear();
    if (this.found.length > 0) this.found = [];
  }

  /** @returns the secrets in a text, by place; `end` of a block without an end is the text's */
  readWhole(text: string): readonly FoundSecret[] {
    this.read(text, true);
    return this.conclude();
  }

  /** As `readWhole`, of one of the texts that have been looked through together. */
  readBatched({ texts, hits, firstHits, runs, hasZeros }: AnchorBatch, index: number): readonly FoundSecret[] {
    const { text } = this;
    text.add(texts[index]!);
    this.meet(hits, firstHits[index]!, firstHits[index + 1]!, true);
    if (this.depth < deepestEncoding) this.encodedTexts.noteRuns(text.buffer, runs[index]!);
    this.hasZeros = hasZeros;
    for (const progress of this.armed) this.places.tryUpTo(progress, Math.min(progress.armedTo, text.length), true);
    return this.conclude();
  }

  private conclude(): readonly FoundSecret[] {
    this.settle(true);
    const { found, text } = this;
    const total = text.length;
    this.forget();
    if (this.depth === 0) forgetTexts();
    if (found.length === 0) return found;
    const told: FoundSecret[] = [];
    for (const { secrets } of chooseSecrets(found, total, true).chosen)
      for (const secret of secrets) told.push(secret.end === Infinity ? { ...secret, end: total } : secret);
    return told;
  }

  read(chunk: string, final: boolean): void {
    const { text, program, places } = this;
    const { finder } = program;
    let from = text.buffer.length;
    text.add(chunk);
    const { buffer, origin } = text;
    this.wasCut ||= !final;
    while (from < buffer.length) {
      const to = finder.find(buffer, from);
      this.meet(finder.hits, 0, finder.hitCount, final);
      if (!this.wasCut && this.depth < deepestEncoding) this.encodedTexts.noteRuns(buffer, finder.runs);
      this.hasZeros ||= finder.hasZeros;
      for (const progress of this.armed) places.tryUpTo(progress, Math.min(progress.armedTo, origin + to), final);
      if (!final) {
        this.backwards ??= this.activeOf(program.lookingBack);
        for (const progress of this.backwards) places.tryUpTo(progress, origin + to, final);
      }
      from = to;
      if (final) places.ask(origin + from - furthestBefore - longestAnchor, final, -1, this.found);
    }
  }

  /** Tries what anchors are for. @param hits as of `AnchorFinder.hits`, those from `first` to `last` */
  private meet(hits: Int32Array, first: number, last: number, final: boolean): void {
    const { program, isActive } = this;
    const { origin } = this.text;
    for (let i = first; i < last; i++) {
      const end = hits[2 * i]!;
      const { targets, isSign } = targetsOf(program, hits[2 * i + 1]!);
      if (isSign) this.signsTo = end;
      for (let j = 0; j < targets.length; j++) {
        const target = targets[j]!;
        if (isActive[target.order] === 1) this.aim(target, origin + end - target.length, final);
      }
    }
  }

  /** @param place of the anchor */
  private aim({ matcher, length, before }: Aim, place: number, final: boolean): void {
    const { places } = this;
    if (before?.most === 0) {
      places.tryAt(matcher, place, final);
      return;
    }
    const progress = places.progressOf(matcher);
    if (before === null) {
      if (!this.armed.includes(progress)) this.armed.push(progress);
      // Where the last keyword's reach has ended, nothing is tried before this one's.
      places.tryUpTo(progress, Math.min(progress.armedTo, place), final);
      progress.triedTo = Math.max(progress.triedTo, place);
      progress.armedTo = place + length + furthestBefore;
      return;
    }
    const last = Math.min(place - before.least, this.text.lastChanged);
    const first = Math.max(progress.triedTo, place - before.most, this.text.told);
    for (let at = first; at <= last; at++) places.tryAt(matcher, at, final);
    progress.triedTo = Math.max(progress.triedTo, last + 1);
  }

  private activeOf(orders: readonly number[]): Progress[] {
    if (orders.length === 0) return [];
    const active = orders.filter((order) => this.isActive[order] === 1);
    return active.map((order) => this.places.progressOf(this.program.matcher(order)));
  }

  /** Looks for secrets in all that has been read. @returns the offset before which nothing new can begin. */
  settle(final: boolean): number {
    const { text, places, found } = this;
    const { buffer, origin, length } = text;
    const undecoded = this.depth < deepestEncoding ? this.decode(final) : length;
    if (final) {
      places.ask(Infinity, final, -1, found);
      return length;
    }
    const mask = findOpenMask(buffer);
    const horizon = Math.min(length - this.program.finder.pendingLength(buffer), undecoded);
    return places.ask(mask < 0 ? horizon : Math.min(horizon, origin + mask), final, mask, found);
  }

  /** Looks for secrets in what is encoded. @returns the first place where something encoded may still begin. */
  private decode(final: boolean): number {
    const { encodedTexts, text, signsTo, hasZeros } = this;
    const { buffer, origin, told, length } = text;
    const whole = this.wasCut ? null : encodedTexts.findInWhole(buffer, { signsTo, hasZeros });
    const { found, open } =
      whole === null ? encodedTexts.find(buffer, origin, told, final) : { found: whole, open: length };
    if (found.length > 0) this.readEncoded(found);
    return open;
  }

  private readEncoded(texts: readonly EncodedText[]): void {
    const { program, depth, batch } = this;
    const { buffer, origin, number } = this.text;
    const inner = (program.inner[depth] ??= new Reading(program, depth + 1));
    const batched: DecodedFrom[] = [];
    const readBatched = (): void => {
      batch.find(program.finder);
      for (const [index, from] of batched.entries()) {
        this.readInner(inner, from, () => inner.readBatched(batch, index));
      }
      batched.length = 0;
      batch.clear();
    };
    for (const encoded of texts) {
      // What a value is, its name tells: it is read with what stands around it in its line.
      const line = lineBefore(buffer, encoded.start);
      const before = line.length;
      if (this.text.changedFrom(encoded.start - before) >= encoded.end) continue;
      const from = { encoded, before, number, start: origin + encoded.start - before };
      const text = line + encoded.decoded + (encoded.behind ?? signBehind(buffer, encoded.end));
      if (text.length <= longestBatched) {
        batched.push(from);
        if (batch.add(text)) continue;
      }
      if (batched.length > 0) readBatched();
      if (text.length <= longestBatched) continue;
      this.readInner(inner, from, () => inner.readWhole(text));
    }
    if (batched.length > 0) readBatched();
  }

  /**
   * What a word has behind its last escape stands there as it is, and has been read. Of one that is mostly so, what else there may be is asked
   * for first; only where there is something, all that it may overlap is asked for as well.
   */
  private readInner(inner: Reading, from: DecodedFrom, read: () => readonly FoundSecret[]): void {
    const { isActive } = this;
    const { path } = this.text;
    const { before, encoded } = from;
    if (encoded.lastChanged !== undefined && 2 * (encoded.lastChanged + 1) <= encoded.decoded.length) {
      inner.begin(isActive, path, before, from);
      if (read().length === 0) return;
    }
    inner.begin(isActive, path, before);
    this.take(read(), from);
  }

  private take(secrets: readonly FoundSecret[], { encoded, before }: DecodedFrom): void {
    const { origin, told } = this.text;
    for (const found of secrets) {
      const { secret, severity, matcher, note } = found;
      const start = found.start - before;
      const end = Math.min(encoded.decoded.length, found.end - before);
      if (end <= Math.max(0, start)) continue;
      // What is encoded in the text before is found there, and does not reach into this.
      if (start < 0 && note !== "") continue;
      const from = origin + (start < 0 ? encoded.start + start : encoded.sourceOf(start, false));
      const to = origin + encoded.sourceOf(end, true);
      // As it stands it has been read already.
      if (to - from === end - start || to <= told) continue;
      const own = { start: Math.max(from, told), end: to, matchEnd: to };
      this.found.push({ ...own, secret, severity, matcher, note: `${note} (${encoded.encoding})` });
    }
  }
}

function lineBefore(text: string, at: number): string {
  const before = text.slice(Math.max(0, at - contextReach), at);
  return before.slice(before.lastIndexOf("\n") + 1);
}

/** A quote or the like, which a rule may ask for; never more of the text, whose own secrets are its own. */
function signBehind(text: string, at: number): string {
  const sign = text.charAt(at);
  return /[A-Za-z0-9+/_=-]/.test(sign) ? "" : sign;
}
