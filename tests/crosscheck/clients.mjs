// Runs independent clients over the cases on standard input: [{op, ...}] -> [{...} or {error}].
import { createRequire } from "node:module";

import { PayOS } from "@payos/node";
import { Webhook } from "standardwebhooks";
import { QRPay } from "vietnam-qr-pay";
import { ignoreLogger, VNPay } from "vnpay";

const require = createRequire(import.meta.url);
const silent = { debug() {}, info() {}, warn() {}, error() {} };

const vnpay = (given) =>
  new VNPay({
    tmnCode: given.merchant,
    secureSecret: given.secret,
    vnpayHost: given.host ?? "http://127.0.0.1:9",
    queryDrAndRefundHost: given.host ?? "http://127.0.0.1:9",
    testMode: false,
    enableLog: false,
    loggerFn: ignoreLogger,
  });
const payos = (given) =>
  new PayOS({
    clientId: given.client_id ?? "client",
    apiKey: given.api_key ?? "key",
    checksumKey: given.secret,
    baseURL: given.host ?? "http://127.0.0.1:9",
    logger: silent,
    maxRetries: 0,
  });

const operations = {
  versions: () =>
    Object.fromEntries(
      ["vnpay", "@payos/node", "vietnam-qr-pay", "standardwebhooks"].map((name) => [name, version(name)]),
    ),
  "vnpay.url": (given) => ({ url: vnpay(given).buildPaymentUrl(given.data) }),
  "vnpay.ipn": (given) => {
    const told = vnpay(given).verifyIpnCall(given.query);
    return { verified: told.isVerified, success: told.isSuccess };
  },
  "vnpay.querydr": async (given) => {
    const told = await vnpay(given).queryDr(given.data);
    return { verified: told.isVerified, success: told.isSuccess, status: told.vnp_TransactionStatus };
  },
  "vnpay.refund": async (given) => {
    const told = await vnpay(given).refund(given.data);
    return { verified: told.isVerified, code: told.vnp_ResponseCode };
  },
  "payos.sign": async (given) => ({
    signature: await payos(given).crypto.createSignatureFromObj(given.data, given.secret),
  }),
  "payos.webhook": async (given) => ({ data: await payos(given).webhooks.verify(given.body) }),
  "payos.create": async (given) => await payos(given).paymentRequests.create(given.data),
  "payos.get": async (given) => await payos(given).paymentRequests.get(given.id),
  "qr.write": (given) => ({ payload: QRPay.initVietQR(given.data).build() }),
  "qr.read": (given) => {
    const read = new QRPay(given.payload);
    return {
      valid: read.isValid,
      bin: read.consumer.bankBin,
      account: read.consumer.bankNumber,
      amount: read.amount,
      purpose: read.additionalData.purpose,
    };
  },
  "webhooks.sign": (given) => ({
    signature: new Webhook(given.secret).sign(given.id, new Date(given.timestamp_s * 1000), given.body),
  }),
  "webhooks.verify": (given) => {
    new Webhook(given.secret).verify(given.body, given.headers);
    return { verified: true };
  },
};

function version(name) {
  const { readFileSync } = require("node:fs");
  const path = new URL(`./node_modules/${name}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")).version;
}

async function done(given) {
  try {
    return await operations[given.op](given);
  } catch (error) {
    return { error: String(error?.message ?? error) };
  }
}

let text = "";
for await (const part of process.stdin) text += part;
const told = [];
for (const given of JSON.parse(text)) told.push(await done(given));
process.stdout.write(JSON.stringify(told));
