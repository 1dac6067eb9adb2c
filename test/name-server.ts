// A name server for tests: answers A and AAAA over UDP on loopback from a table (RFC 1035, section 4).
import dgram from 'node:dgram';
import { once } from 'node:events';
import ipaddr from 'ipaddr.js';

/** Addresses of a name; 'silent' never answers, 'broken' answers SERVFAIL; a name without a row does not exist. */
export type Zone = Record<string, { addresses: string[]; ttl?: number } | 'silent' | 'broken'>;

const SERVFAIL = 2;
const NXDOMAIN = 3;

export interface NameServer {
  /** `address:port` */
  readonly address: string;
  readonly zone: Zone;
  /** The questions asked, as `A name` or `AAAA name`. */
  readonly questions: string[];
  close(): Promise<void>;
}

export async function nameServer(zone: Zone): Promise<NameServer> {
  const socket = dgram.createSocket('udp4');
  const questions: string[] = [];
  socket.on('message', (query, from) => {
    const { name, end } = readName(query);
    const isFour = query.readUInt16BE(end) === 1;
    questions.push(`${isFour ? 'A' : 'AAAA'} ${name}`);
    const entry = zone[name];
    if (entry === 'silent') return;
    const records =
      typeof entry === 'object' ? entry.addresses.map((address) => ipaddr.parse(address).toByteArray()) : [];
    const answers = records.filter((bytes) => bytes.length === (isFour ? 4 : 16));
    const head = Buffer.alloc(12);
    query.copy(head, 0, 0, 2);
    head.writeUInt16BE(0x8180 | (entry === undefined ? NXDOMAIN : entry === 'broken' ? SERVFAIL : 0), 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt16BE(answers.length, 6);
    const ttl = typeof entry === 'object' ? (entry.ttl ?? 60) : 0;
    const parts = answers.map((bytes) => {
      const record = Buffer.alloc(12);
      record.writeUInt16BE(0xc00c, 0); // the name of the question
      record.writeUInt16BE(isFour ? 1 : 28, 2);
      record.writeUInt16BE(1, 4);
      record.writeUInt32BE(ttl, 6);
      record.writeUInt16BE(bytes.length, 10);
      return Buffer.concat([record, Buffer.from(bytes)]);
    });
    socket.send(Buffer.concat([head, query.subarray(12, end + 4), ...parts]), from.port, from.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    zone,
    questions,
    async close() {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readName(packet: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  while (packet[at] !== 0) {
    labels.push(packet.toString('latin1', at + 1, at + 1 + packet[at]));
    at += 1 + packet[at];
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}
