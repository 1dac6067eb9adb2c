// Which addresses are not for the public internet. IPv4 forbids what is listed; IPv6 allows only what is listed (the one block
// that IANA hands out, less its special parts), as most of its space is not in use and an unknown address is no receiver.
// After the IANA special-purpose address registries (RFC 6890) and the providers' metadata addresses.
import ipaddr from 'ipaddr.js';

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6;
export type Cidr = [IpAddress, number];

export interface AddressRange {
  cidr: string;
  /** With its article: `a private address`. */
  what: string;
}

const IPV4_FORBIDDEN = compile([
  ['0.0.0.0/8', 'an address of this network'],
  ['10.0.0.0/8', 'a private address'],
  ['100.64.0.0/10', 'an address of carrier-grade NAT'],
  ['127.0.0.0/8', 'a loopback address'],
  ['168.63.129.16/32', 'the platform address of Azure'],
  ['169.254.0.0/16', 'a link-local address'],
  ['172.16.0.0/12', 'a private address'],
  ['192.0.0.0/24', 'a reserved address'],
  ['192.0.2.0/24', 'an address for documentation'],
  ['192.31.196.0/24', 'an AS112 address'],
  ['192.52.193.0/24', 'an AMT relay address'],
  ['192.88.99.0/24', 'a 6to4 relay address'],
  ['192.168.0.0/16', 'a private address'],
  ['192.175.48.0/24', 'an AS112 address'],
  ['198.18.0.0/15', 'an address for benchmarks'],
  ['198.51.100.0/24', 'an address for documentation'],
  ['203.0.113.0/24', 'an address for documentation'],
  ['224.0.0.0/4', 'a multicast address'],
  ['240.0.0.0/4', 'a reserved address'],
]);

const IPV6_GLOBAL = ipaddr.parseCIDR('2000::/3');
// Those outside 2000::/3 would be forbidden without a row; the row gives them a name.
const IPV6_FORBIDDEN = compile([
  ['::/128', 'the unspecified address'],
  ['::1/128', 'a loopback address'],
  ['2001::/23', 'a reserved address'],
  ['2001:db8::/32', 'an address for documentation'],
  ['2002::/16', 'a 6to4 address'],
  ['2620:4f:8000::/48', 'an AS112 address'],
  ['3ffe::/16', 'a reserved address'],
  ['3fff::/20', 'an address for documentation'],
  ['fc00::/7', 'a private address'],
  ['fe80::/10', 'a link-local address'],
  ['ff00::/8', 'a multicast address'],
]);

// IPv4 in IPv6's clothes: mapped (RFC 4291, section 2.5.5.2) and NAT64 (RFC 6052). Both lead to the IPv4 address inside.
const IPV4_IN_IPV6 = [ipaddr.parseCIDR('::ffff:0:0/96'), ipaddr.parseCIDR('64:ff9b::/96')];

function compile(rows: [cidr: string, what: string][]): (AddressRange & { match: Cidr })[] {
  return rows.map(([cidr, what]) => ({ cidr, what, match: ipaddr.parseCIDR(cidr) }));
}

/** The IPv4 address that this one stands for, or the address itself. */
export function unwrapAddress(address: IpAddress): IpAddress {
  if (address.kind() === 'ipv4' || !IPV4_IN_IPV6.some((cidr) => address.match(cidr))) return address;
  return new ipaddr.IPv4(address.toByteArray().slice(12));
}

/** The range that makes an unwrapped address unfit for the public internet, or null. */
export function findForbiddenRange(address: IpAddress): AddressRange | null {
  if (address.kind() === 'ipv4') return IPV4_FORBIDDEN.find(({ match }) => address.match(match)) ?? null;
  const range = IPV6_FORBIDDEN.find(({ match }) => address.match(match));
  if (range !== undefined) return range;
  return address.match(IPV6_GLOBAL) ? null : { cidr: `${address}/128`, what: 'not a public address' };
}
