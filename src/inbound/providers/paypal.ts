// PayPal signs with RSA over `transmission id|time|webhook id|CRC-32 of the body`, and names the URL of the certificate in a
// header that anybody can write: so only two hosts are taken.
import { verify } from 'node:crypto';
import { compileContent } from '../content-template.ts';
import { type CheckContext, invalid, VALID, type Verdict } from '../custom-check.ts';
import { certificateKey } from '../key-form.ts';
import type { CustomScheme } from '../provider.ts';
import { readCandidates } from '../signature-candidates.ts';
import type { RequestView } from '../webhook-request.ts';

const COMMON_NAME = /\.paypal\.com$/i;
const CERTIFICATE_URL = /^https:\/\/api\.(sandbox\.)?paypal\.com\/[A-Za-z0-9/_-]{1,200}$/;
// PayPal sends one transmission again for three days, with its first time; the id takes care of repetition.
const TOLERANCE_SECONDS = 4 * 24 * 3600;
const CONTENT = compileContent(
  '{header:paypal-transmission-id}|{header:paypal-transmission-time}|{option:webhookId}|{crc32}',
);

export const certificateScheme: CustomScheme = {
  kind: 'custom',
  needsSecret: false,
  words:
    'RSA with SHA-256, base64, in `paypal-transmission-sig`, over `transmission id|time|webhook id|CRC-32 of the body`, by the certificate at `paypal-cert-url`',
  check: verifyTransmission,
};

function verifyTransmission(view: RequestView, { options, nowMs, certificate }: CheckContext): Verdict {
  const candidates = readCandidates(view, { form: 'whole', header: 'paypal-transmission-sig' }, 'base64');
  if ('reason' in candidates) return { kind: 'invalid', ...candidates };
  if (view.headerText('paypal-auth-algo') !== 'SHA256withRSA')
    return invalid('part_missing', 'header paypal-auth-algo');
  const timeMs = Date.parse(view.headerText('paypal-transmission-time') ?? '');
  if (Number.isNaN(timeMs)) return invalid('timestamp_malformed', 'the header paypal-transmission-time');
  const ageSeconds = Math.round((nowMs - timeMs) / 1000);
  if (ageSeconds > TOLERANCE_SECONDS) return invalid('timestamp_too_old', String(ageSeconds));
  if (ageSeconds < -300) return invalid('timestamp_too_new', String(-ageSeconds));
  if (options.webhookId === undefined) return invalid('option_missing', 'webhookId');
  const content = CONTENT.build({ view, timestamp: null, options });
  if (typeof content === 'string') return invalid('part_missing', content);
  const url = view.headerText('paypal-cert-url');
  if (url === null || !CERTIFICATE_URL.test(url)) {
    return invalid('certificate_refused', 'paypal-cert-url does not lead to a host of PayPal');
  }
  const pem = certificate(url);
  if (pem === undefined) return { kind: 'certificate', url };
  const key = certificateKey(pem, nowMs, COMMON_NAME);
  if (key?.asymmetricKeyType !== 'rsa') {
    return invalid('certificate_refused', 'it is no RSA certificate of PayPal that is valid now');
  }
  return verify('sha256', Buffer.from(content.head), key, candidates[0].bytes) ? VALID : invalid('no_match');
}
