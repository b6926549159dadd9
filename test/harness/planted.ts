/**
 * Secrets for tests: of the right form, of nobody. They are put together here so that no file of this repository holds one, and
 * a scanner (ours included) finds nothing in it.
 */
export const plantedAwsKey = ["AKIA", "Q3EGTZ5JVXK2WNPD"].join("");

export const plantedSlackToken = ["xoxb", "263594206564", "2343594206574", "FGqddMF8t08v8N7Oq4i57vs1"].join("-");

export const plantedPem = [
  ["-----BEGIN", "RSA PRIVATE KEY-----"].join(" "),
  ...Array.from({ length: 12 }, (_, line) =>
    Buffer.from(Array.from({ length: 48 }, (_, at) => (line * 57 + at * 31 + 7) & 0xff)).toString("base64"),
  ),
  ["-----END", "RSA PRIVATE KEY-----"].join(" "),
].join("\n");
