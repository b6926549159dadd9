/**
 * Masks a name, or a text that quotes names: as a whole, and then word by word. A rule knows a secret by what stands around it in files; in
 * names and sentences other things do: brackets, curly quotation marks, slashes, a full stop, percent signs.
 */
const mask = "⟦[\\w.-]{1,64}:[0-9a-f]{8}⟧";
const around = "\\s\"'`“”‘’«»()\\[\\]{}<>,;|⟦⟧";
/** Words, segments of paths, values of parameters. Masks that are there already stay as they are. */
const patterns = ["", "/?&#…", "/?&#…=", "/?&#…=:@!"].map((more) => new RegExp(`${mask}|[^${around}${more}]{8,}`, "g"));

/** Secrets that stand alone have digits, or are long. */
const mayBeSecret = (word: string): boolean => !word.startsWith("⟦") && (word.length >= 20 || /[0-9]/.test(word));

/** @param maskOne masks one text, for example by `maskText` */
export function maskWords(text: string, maskOne: (text: string) => string): string {
  const masked = maskEach(text, maskOne);
  // Addresses say `KEY%3Dvalue`: where something is found only behind the percent signs, they are kept without them.
  const plain = withoutPercentSigns(masked);
  const again = plain === masked ? plain : maskEach(plain, maskOne);
  return again === plain ? masked : again;
}

const maskEach = (text: string, maskOne: (text: string) => string): string =>
  patterns.reduce(
    (masked, pattern) =>
      masked.replace(pattern, (word) => {
        if (!mayBeSecret(word)) return word;
        const bare = word.replace(/[.!…]+$/, "");
        return maskOne(bare) + word.slice(bare.length);
      }),
    maskOne(text),
  );

/** What is no UTF-8 stays as it is. */
const withoutPercentSigns = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
