-- The index takes up to three times what it finds: whoever wants it makes it (docs/pages.md).
DROP INDEX IF EXISTS messages_text;
