/**
 * The word list of the prose linter: phrases that readers stumble over, and what to write instead. A space matches any
 * white space, also a line break in a comment. The rest is a regular expression without look-ahead. Upper and lower case
 * are the same.
 *
 * Add a phrase when a reader had to read a sentence twice because of it. See CONTRIBUTING.md, Language.
 */
export const WORDS = [
  // Old or rare words.
  ['anew|afresh', 'again'],
  ['lest', 'so that ... not'],
  ['ought to', 'should'],
  ['whence', 'from where'],
  ['thereof', 'of it'],
  ['hereby', ''],
  ['henceforth', 'from now on'],
  ['upon', 'on'],
  ['nought|naught', 'nothing'],
  ['likewise', 'also'],
  ['whither', 'where'],
  ['wherein', 'in which'],
  ['whereupon', 'then'],

  // Persons where there are none, and relative clauses without a noun.
  [
    '(?<!(any|every|some)(one|body) |people |users? |those |readers? |developers? )\\bwho \\w+s\\b',
    'the sender (server, user ...) that ...',
  ],
  ['(for|to|from|by|of|asks|tells) whom', 'a noun: "the sender that ..."'],
  ['whose the', 'the owner of'],
  ['whoever', 'a noun: "the caller that ..."'],
  ["nobody else[’']s", 'only this service'],
  ["of one[’']s own", 'your own'],
  ['what of (the|a|an|it|its|this|that|those|them|us|nginx|node)', 'which parts of ...'],
  ['what becomes of', 'what happens to'],
  ['none the like', 'nothing similar'],

  // Pictures.
  ['the house', 'the code layout'],
  ['the ways? of (a|the) (byte|frame|packet)', 'the path of a frame'],
  ["a (byte|frame)[’']s way", 'the path of a frame'],
  ['turns? (its|the) hands', 'sets the clock'],
  ['the one door', 'the only import'],
  ['(goes|go|went|gone) round', 'repeats'],
  ['hand in hand', 'together'],
  ['by the hair', 'narrowly'],
  ['in the void', 'unread'],

  // Verbs that hide what happens.
  ['(let|lets|letting) go( of)?', 'releases (memory), drops (frames)'],
  ['(gives|give|gave|given|giving) way', 'is dropped'],
  ['(is|are|was|were|be|been) told', 'gets, is notified'],
  ['(goes|go|went) on where', 'continues at'],
  ['(comes|came) back', 'reconnects, returns'],
  ['hands? over', 'passes'],
  ['makes? an end', 'ends'],
  ['(made|makes|make) new', 'created again'],
  ['has its say', 'applies'],
  ['stands? in for', 'replaces'],

  // Roundabout grammar.
  ['for the sake of', 'for, because of'],
  ['need(s)? not', 'does not have to'],
  ['so that it need', 'so that it does not have to'],
  ['(is|are|was|were) no (more|longer) than', 'is at most'],
  ['(is|are) to be \\w+ed', 'must be ...'],
  ['that there (ever )?(is|are|was|were)', 'existing, all'],
  ['in mid-\\w+', 'in the middle of'],
  ['the like', 'similar ones'],
  ['such a one', 'one'],
  ['what is ours', 'our own'],
  ['all the while', 'all the time'],
  ['ere', 'before'],
];
