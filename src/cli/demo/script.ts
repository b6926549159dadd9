/** What is said and written in the story. */

export const REPOSITORY = "kitchen/recipes";
export const CHANNEL = "pushes";
export const MODEL = "gpt-4.1";

/** Of the right form, and nobody's: put together here, so that this file holds none. */
export const PLANTED_KEY = ["AKIA", "R7QWX3MZ", "K5TJ2VNB"].join("");

/** What every push to the repository meets; shown as it stands. */
export const PUSH_POLICY = `pushes:
  - repositories: ["code/**"]
    secrets: reject
    protect:
      - { refs: [refs/heads/main], approvers: [leads], wait: 60s }
    refuse: [force-push, delete]
`;

export const renderConfig = (urls: {
  readonly git: string;
  readonly copilot: string;
  readonly slack: string;
}): string => `connections:
  code:
    kind: git
    url: ${urls.git}
    credential: { username: gateway, password: { env: GIT_PASSWORD } }
    allow: ["*"]
  copilot:
    kind: copilot
    url: ${urls.copilot}
    credential: { bearer: { env: COPILOT_BEARER } }
    allow: [eng]
${PUSH_POLICY}notify:
  - { kind: slack, token: { env: SLACK_TOKEN }, channel: "#${CHANNEL}", apiUrl: "${urls.slack}" }
auditors: [leads]
`;

const settingsWith = (key: string): string => `BUCKET = "recipe-photos"\nAWS_ACCESS_KEY_ID = ${key}\n`;

export const PROMPT = `Write slugify(title) for slug.py: a recipe's title as a part of its address.
In case it matters, this is our settings.py:

${settingsWith(`"${PLANTED_KEY}"`)}`;

const SUGGESTED = `import re
import unicodedata


def slugify(title: str) -> str:
    """'Crème Brûlée, for Two' becomes 'creme-brulee-for-two'."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return "-".join(re.findall(r"[a-z0-9]+", plain.lower()))
`;

export const ANSWER = `This keeps letters and digits, and takes accents off:

\`\`\`python slug.py
${SUGGESTED}\`\`\`

Two titles may become the same address: keep the recipe's number in it.`;

/** By path. Between the two pushes ana takes the key out. */
export const SETTINGS_WITH_KEY = { "settings.py": settingsWith(`"${PLANTED_KEY}"`) };
export const SETTINGS_WITHOUT_KEY = {
  "settings.py": `import os\n\n${settingsWith('os.environ["AWS_ACCESS_KEY_ID"]')}`,
};

/** Eight lines by Copilot and four by ana. */
export const SLUG = {
  "slug.py": `${SUGGESTED}

def recipe_path(number: int, title: str) -> str:
    return f"/recipes/{number}/{slugify(title)}"
`,
};
export const SUGGESTED_LINES = SUGGESTED.trimEnd().split("\n").length;

export const README = "# Recipes\n\nWhat the kitchen cooks.\n";
export const README_WITH_ADDRESSES = {
  "README.md": `${README}\nA recipe's address is made of its number and its title: /recipes/7/creme-brulee-for-two\n`,
};
