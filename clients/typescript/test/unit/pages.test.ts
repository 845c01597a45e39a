import { expect, test } from "vitest";
import { items, pages } from "../../src/pages.js";

const answers: Record<string, { rows: number[]; nextPageToken: string }> = {
  "": { rows: [1, 2], nextPageToken: "b" },
  b: { rows: [], nextPageToken: "c" },
  c: { rows: [3], nextPageToken: "" },
};

function list(asked: string[]) {
  return async ({ pageToken }: { pageToken: string }) => {
    asked.push(pageToken);
    return answers[pageToken]!;
  };
}

test("items come from every page, an empty one in the middle included", async () => {
  const found: number[] = [];
  for await (const row of items(list([]), (answer) => answer.rows)) found.push(row);

  expect(found).toEqual([1, 2, 3]);
});

test("who leaves the loop asks for no further page", async () => {
  const asked: string[] = [];
  for await (const _ of items(list(asked), (answer) => answer.rows)) break;

  expect(asked).toEqual([""]);
});

test("pages are given as they were answered", async () => {
  const sizes: number[] = [];
  for await (const page of pages(list([]))) sizes.push(page.rows.length);

  expect(sizes).toEqual([2, 0, 1]);
});
