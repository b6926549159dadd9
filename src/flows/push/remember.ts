/** More texts than this are not remembered at a time, nor longer ones: whoever pushes chooses them, and memory is ours. */
export const MAX_TEXTS = 10_000;
export const MAX_TEXT_LENGTH = 500;

/** The same function, which answers at once for texts that come again: of thousands of commits there are few names and paths. */
export function rememberAnswers<T>(ask: (text: string) => T): (text: string) => T {
  const answers = new Map<string, { readonly answer: T }>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known.answer;
    const answer = ask(text);
    if (text.length > MAX_TEXT_LENGTH) return answer;
    if (answers.size >= MAX_TEXTS) answers.clear();
    answers.set(text, { answer });
    return answer;
  };
}
