/**
 * Tells random characters from words and identifiers: in those, letters follow each other as they do in English and in code. A stand-in
 * for counting a tokenizer's characters per token, without its vocabulary of megabytes.
 */

/**
 * How often the column's letter follows the row's in some 13,500 words of English and of identifiers (counted in the documentation and
 * source of popular npm packages, a word by the logarithm of its number): 5 for as often as among random letters, one more for twice
 * as often.
 */
const pairs = [
  "36764462625868261878554453",
  "64336222521632523553511131",
  "74537217616632821647621141",
  "64358432721433532553522231",
  "75786653433768464987364642",
  "53336621720512622534401140",
  "52227145501435520642511021",
  "62227001601332622435401030",
  "65766661213669861677261406",
  "32004001220200312041312000",
  "42226121501223320152311010",
  "73458321823722731255531161",
  "75227110711352660242510020",
  "73777583624435642378552031",
  "55663451525678660866656332",
  "72337115502622750756520120",
  "00000000000201000000600001",
  "84559352805455742576542051",
  "62638326714543662378623141",
  "72538326811533730776513161",
  "55545540502657350666310111",
  "62217010601111410121210010",
  "51115114501214400441101100",
  "31314202410121150115200210",
  "33224110301334350143101222",
  "40015000300110300021100111",
].join("");
const wordiness = Uint8Array.from(pairs, Number);

/** @returns how often a letter (0 to 25) follows another in words and identifiers, beside among random ones */
export const followsInWords = (letter: number, next: number): number => 2 ** (wordiness[letter * 26 + next]! - 5);

/** Mean from which on a text reads like words: of ten random letters 3 % reach it, of ten-letter words all but 0.2 %. */
const wordy = 5;

/** Each number between letters counts for random, as few names have one. */
const insideNumber = 0.5;
const mostInside = 3;

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** @returns whether the text reads like random characters, as a UUID does; one of few letters does if it has digits between them. */
export function looksRandom(text: string): boolean {
  if (text.length === 36 && uuid.test(text)) return true;
  let counted = 0;
  let sum = 0;
  let changes = 0;
  let before = -1;
  let wasSmall = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const letter = letterOf(code);
    const isSmall = code >= 0x61;
    if (i > 0) {
      if (before >= 0 && letter >= 0) {
        // In `isDefKeyword` a word begins at each capital: what stands before it says nothing.
        if (!wasSmall || isSmall) {
          counted++;
          sum += wordiness[before * 26 + letter]!;
        }
      } else if (before >= 0 !== letter >= 0) changes++;
    }
    before = letter;
    wasSmall = isSmall;
  }
  if (changes * 3 >= text.length) return true;
  // Hexadecimal digits of which few are letters.
  if (counted * 8 < text.length && /[0-9]/.test(text)) return true;
  const inside = Math.min(text.match(/[a-z][0-9]{1,4}(?=[a-z])/gi)?.length ?? 0, mostInside);
  return counted > 0 ? sum < (wordy + insideNumber * inside) * counted : /[0-9]/.test(text);
}

/** @returns 0 to 25 in any case, -1 for anything else. */
function letterOf(code: number): number {
  const folded = code | 0x20;
  return folded >= 0x61 && folded <= 0x7a && code >= 0x41 ? folded - 0x61 : -1;
}
