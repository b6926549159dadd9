/** JWTs of the identity provider (RFC 7519) presented as a credential. */

/** Three parts of base64url (RFC 7515, compact form), the first of which begins like a JSON object. */
export const looksLikeJwt = (text: string): boolean => /^ey[\w-]+\.[\w-]+\.[\w-]*$/.test(text);
