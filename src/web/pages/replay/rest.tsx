/** Said where a text is longer than what is shown of it. */
export const Rest = ({ length, href }: { length: number; href: string }) => (
  <p class="rest">
    Only its beginning is shown; there are {length.toLocaleString("en")} characters.{" "}
    <a href={href}>All of it, as plain text</a>
  </p>
);
