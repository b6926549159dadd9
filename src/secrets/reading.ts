/**
 * Reads one text after another for secrets, each whole or in parts. The outcome does not depend on where the parts were cut.
 *
 * Every place where a rule's match may begin is asked once, and only when no text to come could change the answer.
 */
import { contextReach, EncodedTextFinder, type EncodedText } from "./encoded-text.ts";
import { findOpenMask } from "./mask-form.ts";
import { OpenPlaces, type Progress } from "./open-places.ts";
import { chooseSecrets, type FoundSecret } from "./overlap.ts";
import { furthestBefore, longestAnchor } from "./regex-anchors.ts";
import { forgetTexts } from "./remembered.ts";
import { targetsOf, type Aim, type ScanProgram } from "./scan-program.ts";
import { TextAtHand } from "./text-at-hand.ts";

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
   */
  begin(isActive: Uint8Array, path: string | undefined, context = 0): void {
    this.forget();
    this.text.begin(path);
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
    this.found = [];
  }

  /** @returns the secrets in a text, by place; `end` of a block without an end is the text's */
  readWhole(text: string): FoundSecret[] {
    this.read(text, true);
    this.settle(true);
    const { chosen } = chooseSecrets(this.found, text.length, true);
    this.forget();
    if (this.depth === 0) forgetTexts();
    const told: FoundSecret[] = [];
    for (const { secrets } of chosen)
      for (const secret of secrets) told.push(secret.end === Infinity ? { ...secret, end: text.length } : secret);
    return told;
  }

  read(chunk: string, final: boolean): void {
    const { text, program, isActive, places } = this;
    const { finder } = program;
    let from = text.buffer.length;
    text.add(chunk);
    const { buffer, origin } = text;
    this.wasCut ||= !final;
    while (from < buffer.length) {
      const to = finder.find(buffer, from);
      const { hits: ends, hitCount } = finder;
      for (let i = 0; i < hitCount; i++) {
        const end = ends[2 * i]!;
        const ending = ends[2 * i + 1]!;
        const { targets, isSign } = targetsOf(program, ending);
        if (isSign) this.signsTo = end;
        for (let j = 0; j < targets.length; j++) {
          const target = targets[j]!;
          if (isActive[target.order] === 1) this.aim(target, origin + end - target.length, final);
        }
      }
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
    const last = place - before.least;
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
    if (!this.wasCut) {
      for (const encoded of encodedTexts.findInWhole(buffer, { signsTo, hasZeros })) this.readEncoded(encoded);
      return length;
    }
    const { found, open } = encodedTexts.find(buffer, origin, told, final);
    for (const encoded of found) this.readEncoded(encoded);
    return open;
  }

  private readEncoded(encoded: EncodedText): void {
    const { program, depth, found, isActive } = this;
    const { buffer, origin, told, path } = this.text;
    // What a value is, its name tells: it is read with what stands around it in its line.
    const before = lineBefore(buffer, encoded.start);
    const behind = encoded.behind ?? signBehind(buffer, encoded.end);
    const inner = (program.inner[depth] ??= new Reading(program, depth + 1));
    inner.begin(isActive, path, before.length);
    for (const secret of inner.readWhole(before + encoded.decoded + behind)) {
      const start = secret.start - before.length;
      const end = Math.min(encoded.decoded.length, secret.end - before.length);
      if (end <= Math.max(0, start)) continue;
      // What is encoded in the text before is found there, and does not reach into this.
      if (start < 0 && secret.note !== "") continue;
      const from = origin + (start < 0 ? encoded.start + start : encoded.sourceOf(start, false));
      const to = origin + encoded.sourceOf(end, true);
      // As it stands it has been read already.
      if (to - from === end - start || to <= told) continue;
      found.push({
        start: Math.max(from, told),
        end: to,
        matchEnd: to,
        secret: secret.secret,
        severity: secret.severity,
        matcher: secret.matcher,
        note: `${secret.note} (${encoded.encoding})`,
      });
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
