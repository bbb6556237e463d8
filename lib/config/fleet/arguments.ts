import { isAnyHost } from '../access/special-addresses.js';
import { formatAddress, splitHostPort } from '../access/addresses.js';
import { ValueError } from '../errors.js';
import { hasControlCharacter, parseDigits, type ValueType } from '../types.js';

/** An address that other machines connect to. */
export interface NodeAddress {
  /** IP address without brackets, or a host name. */
  readonly host: string;
  readonly port: number;
}

/** An address of an HTTP server. */
export interface NodeHttpAddress extends NodeAddress {
  /** The server speaks HTTPS. */
  readonly tls?: boolean;
}

/** The arguments of `node`. */
export interface NodeArguments {
  readonly name: string;
  readonly kmp: NodeAddress;
  readonly http: NodeHttpAddress;
}

/** Names of nodes: they are parts of keys, headers, URLs and labels of metrics. */
export const NODE_NAME = /^[\w.-]{1,64}$/;

/** Type of the arguments of `node`. */
export const node: ValueType<NodeArguments> = {
  syntax: 'name kmp=host:port http=[https://]host:port',
  expected: 'a name, kmp=host:port and http=host:port',
  args: [3, 3],
  parse([name = '', ...parameters]) {
    if (!NODE_NAME.test(name)) {
      throw new ValueError(`"${name}" is not a name of a node: 1 to 64 letters, digits and "_", ".", "-"`);
    }
    let kmp: NodeAddress | undefined;
    let http: NodeHttpAddress | undefined;
    for (const parameter of parameters) {
      const [, key, text = ''] = /^(kmp|http)=(.*)$/s.exec(parameter) ?? [];
      if (key === undefined) throw new ValueError(`"${parameter}" is not kmp=host:port or http=host:port`);
      if ((key === 'kmp' ? kmp : http) !== undefined) throw new ValueError(`"${key}=" is given twice`);
      if (key === 'kmp') kmp = reachable(text, parameter);
      else http = httpAddress(text, parameter);
    }
    if (kmp === undefined || http === undefined) {
      throw new ValueError(`"${kmp === undefined ? 'kmp' : 'http'}=" is missing; expected ${node.expected}`);
    }
    if (kmp.host === http.host && kmp.port === http.port) {
      const address = formatAddress(kmp);
      throw new ValueError(`"kmp=" and "http=" are both ${address}; each server has a port of its own`);
    }
    return { name, kmp, http };
  },
};

function httpAddress(text: string, parameter: string): NodeHttpAddress {
  const [, scheme, rest = text] = /^(https?):\/\/([^/]*)\/?$/i.exec(text) ?? [];
  return { ...reachable(rest, parameter), ...(scheme?.toLowerCase() === 'https' ? { tls: true } : {}) };
}

/** @throws ValueError if others cannot connect to it */
function reachable(text: string, parameter: string): NodeAddress {
  const { host, port } = splitHostPort(text) ?? {};
  if (host === undefined || port === undefined || port === 0) {
    const example = parameter.startsWith('kmp=') ? 'kmp=192.0.2.11:8005' : 'http=192.0.2.11:8001';
    throw new ValueError(`"${parameter}" has no host and port, as in ${example}`);
  }
  if (host === '*' || isAnyHost(host)) {
    throw new ValueError(`"${parameter}": others cannot connect to ${host}; write the address of this machine`);
  }
  return { host, port };
}

/** The arguments of `engine`, before the files are read. */
export interface EngineArguments {
  /** Has at least one entry; with `sentinel`, the addresses of Sentinels. */
  readonly addresses: readonly NodeAddress[];
  readonly tls: boolean;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly passwordFile: string | undefined;
  readonly caFile: string | undefined;
  /** Name of the master that the Sentinels watch. */
  readonly sentinel: string | undefined;
  readonly sentinelPasswordFile: string | undefined;
}

const PARAMETERS = ['password_file', 'ca_file', 'sentinel', 'sentinel_password_file'] as const;
const MAX_ADDRESSES = 16;

/** Type of the arguments of `engine`. */
export const engine: ValueType<EngineArguments> = {
  syntax:
    'redis[s]://[user@]host[:port][/database] ... [password_file=path] [ca_file=path] [sentinel=name] [sentinel_password_file=path]',
  expected: 'a URL such as redis://192.0.2.5:6379 or rediss://redis.example.com',
  args: [1, MAX_ADDRESSES + PARAMETERS.length],
  secret: true,
  parse(args) {
    const values = new Map<(typeof PARAMETERS)[number], string>();
    const urls: string[] = [];
    for (const arg of args) {
      const name = PARAMETERS.find((one) => arg.startsWith(`${one}=`));
      if (name === undefined) urls.push(arg);
      else if (values.has(name)) throw new ValueError(`"${name}=" is given twice`);
      else values.set(name, valueOf(name, arg.slice(name.length + 1)));
    }
    const sentinel = values.get('sentinel');
    const [first, ...others] = urls.map((url) => server(url, sentinel === undefined ? 6379 : 26379));
    if (first === undefined) throw new ValueError(`there is no URL; expected ${engine.expected}`);
    if (others.length > 0 && sentinel === undefined) {
      throw new ValueError(`${urls.length} URLs need sentinel=NAME; without Sentinels, the fleet has one engine`);
    }
    if (urls.length > MAX_ADDRESSES) throw new ValueError(`${urls.length} URLs; the maximum is ${MAX_ADDRESSES}`);
    checkTogether(first, others, values);
    return {
      ...first,
      addresses: [first, ...others].map(({ address }) => address),
      passwordFile: values.get('password_file'),
      caFile: values.get('ca_file'),
      sentinel,
      sentinelPasswordFile: values.get('sentinel_password_file'),
    };
  },
};

type Server = Pick<EngineArguments, 'tls' | 'user' | 'password' | 'database'> & { readonly address: NodeAddress };

function valueOf(name: string, value: string): string {
  if (value === '' || hasControlCharacter(value)) throw new ValueError(`"${name}=" has no value that can be used`);
  return value;
}

/** @throws ValueError if the parts of the directive contradict each other */
function checkTogether(first: Server, others: readonly Server[], values: ReadonlyMap<string, string>): void {
  const same = (one: Server): boolean =>
    one.tls === first.tls &&
    one.user === first.user &&
    one.password === first.password &&
    one.database === first.database;
  if (!others.every(same)) {
    throw new ValueError(
      'the URLs of the Sentinels differ in scheme, user, password or database; only hosts may differ',
    );
  }
  if (first.password !== undefined && values.has('password_file')) {
    throw new ValueError('the password is given twice: in the URL and by password_file=');
  }
  if (values.has('ca_file') && !first.tls) throw new ValueError('"ca_file=" needs a URL that begins with rediss://');
  if (values.has('sentinel_password_file') && !values.has('sentinel')) {
    throw new ValueError('"sentinel_password_file=" needs sentinel=NAME');
  }
}

/** Messages do not contain user and password. @throws ValueError */
function server(text: string, defaultPort: number): Server {
  const [, scheme, login, authority = '', path] =
    /^(rediss?):\/\/(?:([^/\s]*)@)?([^/@\s?#]+)(?:\/(\d*))?$/i.exec(text) ?? [];
  const { host, port = defaultPort } = splitHostPort(authority) ?? {};
  if (scheme === undefined || host === undefined || host === '*' || port === 0) {
    const parameters = PARAMETERS.map((name) => `${name}=`).join(', ');
    throw new ValueError(`an argument (not shown here) is not ${engine.expected}, nor one of ${parameters}`);
  }
  const database = path === undefined || path === '' ? 0 : parseDigits(path);
  if (database === undefined || database > 65_535) {
    throw new ValueError(`the database of ${formatAddress({ host, port })} is not a number in the range 0 .. 65535`);
  }
  return { address: { host, port }, tls: scheme.toLowerCase() === 'rediss', database, ...loginOf(login) };
}

function loginOf(login: string | undefined): Pick<Server, 'user' | 'password'> {
  const [, user = '', password] = /^([^:]*)(?::(.*))?$/s.exec(login ?? '') ?? [];
  const decoded = (text: string | undefined): string | undefined => {
    if (text === undefined || text === '') return undefined;
    try {
      return decodeURIComponent(text);
    } catch {
      throw new ValueError('the user or the password in the URL has a "%" that is not followed by two hex digits');
    }
  };
  return { user: decoded(user), password: decoded(password) };
}
