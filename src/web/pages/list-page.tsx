import type { Child } from "hono/jsx";
import { Layout, type Shell } from "./layout.tsx";
import { Filters, Older, type FilterField } from "./filters.tsx";

export interface ListProps<Item> {
  readonly shell: Shell;
  readonly items: readonly Item[];
  /** The filters as they were asked for, without the cursor. */
  readonly query: URLSearchParams;
  readonly fields: readonly FilterField[];
  readonly next: string | null;
  /** What is wrong with the filters; null when nothing is. */
  readonly problem: string | null;
}

export const ListPage = (props: ListProps<unknown> & { title: string; children?: Child }) => (
  <Layout title={props.title} shell={props.shell}>
    <h1>{props.title}</h1>
    <Filters path={props.shell.path} query={props.query} fields={props.fields} problem={props.problem} />
    {props.problem === null && props.children}
    <Older path={props.shell.path} query={props.query} next={props.next} />
  </Layout>
);
