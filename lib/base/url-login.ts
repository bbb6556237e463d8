/** The address of a request, and the value of the header `Authorization` that its user and password stand for. */
export interface UrlLogin {
  readonly url: URL;
  readonly authorization: string | undefined;
}

/**
 * Takes user and password out of a URL. fetch rejects a URL that has them; they are sent as a header (RFC 7617).
 *
 * @throws TypeError if it is not a URL
 */
export function withoutLogin(address: string): UrlLogin {
  const url = new URL(address);
  const { username, password } = url;
  if (username === '' && password === '') return { url, authorization: undefined };
  [url.username, url.password] = ['', ''];
  const credentials = [username, password].map(unescaped).join(':');
  return { url, authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

/** Decodes escape sequences. A percent sign that begins none, and bytes that are not UTF-8, stay as they are. */
function unescaped(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escaped) => {
    try {
      return decodeURIComponent(escaped);
    } catch {
      return escaped;
    }
  });
}
