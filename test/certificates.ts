// Certificates for tests of TLS: an authority of their own, made anew with the openssl command.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface Authority {
  /** PEM. */
  ca: string;
  /** A key and a certificate (PEM) for names such as `DNS:hooks.test` and `IP:127.0.0.1`; `subject` is its common name, `newKey` what `openssl req` is told of the key. */
  issue(names: string[], subject?: string, newKey?: string[]): { key: string; cert: string };
  remove(): void;
}

export function createAuthority(): Authority {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidings-ca-'));
  const file = (name: string): string => path.join(folder, name);
  const openssl = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    ...['req', '-x509', ...newKey, '-keyout', file('ca.key'), '-out', file('ca.pem'), '-days', '2'],
    ...['-subj', '/CN=Tidings test authority'],
  );
  let issued = 0;
  return {
    ca: readFileSync(file('ca.pem'), 'utf8'),
    issue(names, subject = 'receiver', keyOptions = newKey) {
      const name = `server${++issued}`;
      writeFileSync(file(`${name}.ext`), `subjectAltName=${names.join(',')}\n`);
      openssl(
        'req',
        ...keyOptions,
        '-keyout',
        file(`${name}.key`),
        '-out',
        file(`${name}.csr`),
        '-subj',
        `/CN=${subject}`,
      );
      openssl(
        ...['x509', '-req', '-in', file(`${name}.csr`), '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
        ...['-CAcreateserial', '-days', '2', '-extfile', file(`${name}.ext`), '-out', file(`${name}.pem`)],
      );
      return { key: readFileSync(file(`${name}.key`), 'utf8'), cert: readFileSync(file(`${name}.pem`), 'utf8') };
    },
    remove: () => rmSync(folder, { recursive: true }),
  };
}

/** An RSA key and a certificate that it signed itself (PEM). */
export function selfSigned(commonName: string): { key: string; cert: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'tidings-ca-'));
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')];
  const options = ['-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/O=Example/CN=${commonName}`];
  execFileSync('openssl', ['req', '-x509', ...options, '-keyout', key, '-out', cert], { stdio: 'pipe' });
  try {
    return { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
