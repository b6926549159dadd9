/**
 * Tells random characters from words and identifiers: in those, letters follow each other as they do in English and in code. A stand-in
 * for counting a tokenizer's characters per token, without its vocabulary of megabytes.
 */

/** Pairs of letters that make up most of English words and of identifiers; among random letters about every fifth pair is one of them. */
const commonPairs = new Set(
  (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne ea ra ce li ch " +
    "ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po " +
    "we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke ui fr oo ag " +
    "po ap ck bo do up ue da gr sp go ef ob rd ey ds au pt rl ys ke lt va bu by cr sc br ub ff pp cl fa sw rm ou cu rn ft dd ug ks yp lu " +
    "tt ok ep xt ix db sk wn ib gi rc da ga if od ls rk nf nk ws my ip"
  ).split(" "),
);

/** Share of common pairs from which on a text reads like words. */
const wordy = 0.5;

/** @returns whether the text reads like random characters; one of few letters does if it has digits between them. */
export function looksRandom(text: string): boolean {
  const folded = text.toLowerCase();
  let pairs = 0;
  let common = 0;
  let changes = 0;
  for (let i = 1; i < folded.length; i++) {
    const before = isLetter(folded.charCodeAt(i - 1));
    const here = isLetter(folded.charCodeAt(i));
    if (before && here) {
      pairs++;
      if (commonPairs.has(folded.slice(i - 1, i + 1))) common++;
    } else if (before !== here) changes++;
  }
  if (changes * 3 >= folded.length) return true;
  return pairs > 0 ? common / pairs < wordy : /[0-9]/.test(text);
}

const isLetter = (code: number): boolean => code >= 0x61 && code <= 0x7a;
