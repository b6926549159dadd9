/**
 * E-mail addresses compare without the case of ASCII letters, and to the letter otherwise. Unicode's own folding would take the
 * Kelvin sign (U+212A) for a `k`: an address that somebody else can register, and that looks the same.
 */
const foldAscii = (text: string): string =>
  text.replace(/[A-Z]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 32));

/** Whether two texts are the same address. Nothing is trimmed, and an empty one is nobody's. */
export const sameEmail = (a: string, b: string): boolean => a !== "" && foldAscii(a) === foldAscii(b);
