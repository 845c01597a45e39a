// Lists, page by page.

/** What every list's answer has. */
export interface Page {
  readonly nextPageToken: string;
}

/**
 * Everything that a list has, asked for page by page as the loop goes on; leave the loop early and no further page is asked for. A page
 * token belongs to the request: `list` sends the same one each time, but for what it is given.
 *
 * ```ts
 * const all = items((page) => patients.listPatients({ pageSize: 200, ...page }), (answer) => answer.patients);
 * for await (const patient of all) …
 * ```
 */
export async function* items<P extends Page, T>(
  list: (page: { pageToken: string }) => Promise<P>,
  of: (answer: P) => readonly T[],
): AsyncGenerator<T, void, undefined> {
  for await (const answer of pages(list)) yield* of(answer);
}

/** The same, page for page, for what an answer says beside its items. */
export async function* pages<P extends Page>(
  list: (page: { pageToken: string }) => Promise<P>,
): AsyncGenerator<P, void, undefined> {
  let pageToken = "";
  do {
    const answer = await list({ pageToken });
    yield answer;
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
}
