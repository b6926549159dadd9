/** Texts whose answers are kept: several rules find the same secret, and each of them asks. */
const kept = 4;

/** Empties those that hold texts. */
const holding: (() => void)[] = [];

/** The same function, which is not asked again about one of the last few texts. */
export function remembered<T>(ask: (text: string) => T): (text: string) => T {
  const texts: string[] = [];
  const answers: T[] = [];
  let next = 0;
  const forget = (): void => {
    texts.length = 0;
    next = 0;
  };
  return (text) => {
    for (let i = 0; i < texts.length; i++) if (texts[i] === text) return answers[i]!;
    const answer = ask(text);
    if (texts.length === 0) holding.push(forget);
    texts[next] = text;
    answers[next] = answer;
    next = (next + 1) % kept;
    return answer;
  };
}

/** To be called behind each text: a piece of it would keep all of it in memory, and a secret longer than need be. */
export function forgetTexts(): void {
  for (const forget of holding) forget();
  holding.length = 0;
}
