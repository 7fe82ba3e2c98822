CREATE TABLE "silver"."deal" (
  "trade_date" DATE,
  "deal_id" VARCHAR,
  "side" VARCHAR,
  "client_id" VARCHAR,
  "price" DECIMAL(18,4),
  "lots" BIGINT,
  "memo" VARCHAR
);
COMMENT ON TABLE "silver"."deal" IS '测试 (Deals): A table made for tests.';
COMMENT ON COLUMN "silver"."deal"."trade_date" IS '交易日 (Trade date): Trade date.';
COMMENT ON COLUMN "silver"."deal"."deal_id" IS '成交号 (Deal): One deal.';
COMMENT ON COLUMN "silver"."deal"."side" IS '方向 (Side): Buy or sell.';
COMMENT ON COLUMN "silver"."deal"."client_id" IS '客户 (Client): Client.';
COMMENT ON COLUMN "silver"."deal"."price" IS '价格 (Price) [yuan]: Price.';
COMMENT ON COLUMN "silver"."deal"."lots" IS '手数 (Lots): Quantity.';
COMMENT ON COLUMN "silver"."deal"."memo" IS '备注 (Memo): A free text.';
