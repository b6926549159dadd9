/** What a list is narrowed by, and the way to what is older. Plain forms and links: they work without script. */
import { WORDS } from "./parts.tsx";

/** "Older", with the filters kept. */
export const Older = ({ path, query, next }: { path: string; query: URLSearchParams; next: string | null }) => {
  if (next === null) return null;
  const parameters = new URLSearchParams(query);
  parameters.set("cursor", next);
  return (
    <p class="pages">
      <a href={`${path}?${parameters.toString()}`}>Older →</a>
    </p>
  );
};

export interface FilterField {
  readonly name: string;
  readonly label: string;
  /** Present: a choice. */
  readonly options?: readonly string[];
  readonly type?: "date";
  readonly isWide?: boolean;
}

const Field = ({ field, value }: { field: FilterField; value: string }) => {
  const { name, label, options, type, isWide } = field;
  // What was asked for stays to be seen, also where it is none of the choices.
  const choices = options === undefined || value === "" || options.includes(value) ? options : [value, ...options];
  // A date field shows only dates; other times are told as they were given.
  const isDate = type === "date" && (value === "" || /^\d{4}-\d{2}-\d{2}$/.test(value));
  return (
    <label class={isWide === true ? "wide" : undefined}>
      {label}
      {choices === undefined ? (
        <input name={name} value={value} type={isDate ? "date" : name === "q" ? "search" : "text"} maxlength={500} />
      ) : (
        <select name={name}>
          <option value="">any</option>
          {choices.map((choice) => (
            <option value={choice} selected={value === choice}>
              {WORDS[choice] ?? choice}
            </option>
          ))}
        </select>
      )}
    </label>
  );
};

/** @param problem what is wrong with the filters */
export const Filters = (props: {
  path: string;
  query: URLSearchParams;
  fields: readonly FilterField[];
  problem: string | null;
}) => {
  const { path, query, fields, problem } = props;
  const own = new Set(fields.map(({ name }) => name));
  return (
    <form class="filters" method="get" role="search" aria-label="Filters">
      {fields.map((field) => (
        <Field field={field} value={query.get(field.name) ?? ""} />
      ))}
      {/* Filters that came by a link and have no field here still hold, and are told. */}
      {[...query]
        .filter(([name]) => !own.has(name))
        .map(([name, value]) => (
          <label>
            {name}
            <input name={name} value={value} />
          </label>
        ))}
      <div class="actions">
        <button type="submit">Filter</button>
        {[...query.keys()].length > 0 && <a href={path}>Clear</a>}
      </div>
      {problem !== null && (
        <p class="note bad" role="alert">
          {problem}
        </p>
      )}
    </form>
  );
};
