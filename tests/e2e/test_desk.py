"""The review desk in a real browser: marking, typing through an input method, autosave, two people, undo."""

import os
import signal

import pytest
from playwright.sync_api import expect

from core.annotation.items import items
from core.annotation.provider import Reply
from core.annotation.rules import OfflineRules
from core.texts.annotation import Alternative, AnnotationValue, Entity, Relation, Status
from db.annotations import Annotations
from db.home import Home
from db.passages import Passages
from db.suggestions import Suggestions
from tests.e2e.desk_steps import PASSAGE, field, open_desk, seed, select, stored, wait_for, write

pytestmark = pytest.mark.e2e

RARE = "政和𠮷年七月甲子鄱陽洪邁記於𠀋湖西湖"
PLAIN = "德寿宫在望仙桥东，元系秦太师赐第。"


@pytest.fixture
def home(server) -> Home:
    return Home(server.home)


@pytest.fixture
def named(reader):
    """The reader, whose browser knows her name."""
    reader.page.context.add_cookies([{"name": "songclip_who", "value": "%E7%94%B2", "url": reader.url}])
    return reader


def test_an_entity_over_a_rare_character_by_mouse_and_by_keyboard(named, home):
    passage = seed(home, RARE)[0]
    page = open_desk(named, passage)

    select(page, 1, 4)  # 和𠮷年
    page.keyboard.press("4")
    first = wait_for(home, passage, lambda a: a.value.entities).value.entities[0]
    assert (first.name, first.kind, first.mentions) == ("和𠮷年", "date", ((1, 4),))

    page.locator(PASSAGE).focus()
    page.keyboard.press("Home")
    for _ in range(14):  # to 𠀋: each arrow is one character, also beyond the BMP
        page.keyboard.press("ArrowRight")
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("1")
    second = wait_for(home, passage, lambda a: len(a.value.entities) == 2).value.entities[1]
    assert (second.name, second.kind, second.mentions) == ("𠀋湖", "place", ((14, 16),))
    # What was made is chosen; its end moves by a key and all its places are marked by another.
    expect(page.locator(".songclip-desk .row.chosen .name")).to_have_text("𠀋湖")
    page.keyboard.press("]")
    moved = wait_for(home, passage, lambda a: a.value.entities[1].mentions == ((14, 17),))
    assert moved.value.entities[1].name == "𠀋湖西"
    assert stored(home, passage).updated_by == "甲"


def test_no_bare_key_destroys_and_what_is_removed_comes_back(named, home):
    passage = seed(home, PLAIN)[0]
    page = open_desk(named, passage)
    select(page, 0, 3)
    page.keyboard.press("1")
    wait_for(home, passage, lambda a: a.value.entities)
    expect(page.locator(".songclip-desk .row.chosen")).to_have_count(1)
    for key in ("Delete", "Backspace", "d", "q", "z", "u", "-", "0", " "):
        page.keyboard.press(key)
    page.wait_for_timeout(800)
    assert len(stored(home, passage).value.entities) == 1
    page.keyboard.press("Control+Shift+Delete")
    wait_for(home, passage, lambda a: not a.value.entities)
    page.keyboard.press("Control+z")
    wait_for(home, passage, lambda a: a.value.entities)
    page.keyboard.press("Control+y")
    wait_for(home, passage, lambda a: not a.value.entities)


def test_no_shortcut_and_no_save_in_the_middle_of_a_composition(named, home):
    passage, other = seed(home, PLAIN, RARE)
    page = open_desk(named, passage)
    area = field(page, "modern_chinese")
    area.focus()
    area.evaluate(
        """(field) => {
            const key = (name) => field.dispatchEvent(new KeyboardEvent("keydown",
                { key: name, isComposing: true, keyCode: 229, bubbles: true, cancelable: true }));
            const type = (text) => {
                field.value = text;
                field.dispatchEvent(new InputEvent("input", { isComposing: true, bubbles: true }));
            };
            field.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
            for (const letter of "nvx12") { key(letter); }
            type("xi"); type("xi hu");
        }"""
    )
    # Keys of an input method mean nothing to the passage either.
    page.locator(PASSAGE).evaluate(
        """(root) => { for (const name of ["n", "v", "1", "Process"]) root.dispatchEvent(new KeyboardEvent("keydown",
            { key: name, isComposing: true, keyCode: 229, bubbles: true, cancelable: true })); }"""
    )
    page.wait_for_timeout(2500)
    assert stored(home, passage).value.modern_chinese == "", "an unfinished composition is not text"
    assert f"id={passage}" in page.url
    expect(page.locator(PASSAGE)).not_to_have_class("songclip-passage vertical")
    area.evaluate(
        """(field) => {
            field.value = "西湖";
            field.dispatchEvent(new CompositionEvent("compositionend", { data: "西湖", bubbles: true }));
            field.dispatchEvent(new InputEvent("input", { bubbles: true }));
        }"""
    )
    wait_for(home, passage, lambda a: a.value.modern_chinese == "西湖")
    assert stored(home, other).revision == 0


def test_what_was_typed_is_saved_while_one_types_and_survives_a_killed_server(named, home, server):
    passage = seed(home, PLAIN)[0]
    page = open_desk(named, passage)
    area = field(page, "english")
    area.focus()
    # Typing without a pause: what is older than two seconds is stored all the same.
    for word in range(14):
        page.keyboard.type(f"w{word} ", delay=60)
        page.wait_for_timeout(60)
    page.wait_for_timeout(200)
    soon = stored(home, passage).value.english
    assert soon.startswith("w0 w1 w2"), soon
    page.keyboard.type("at last.", delay=20)
    wait_for(home, passage, lambda a: a.value.english.endswith("at last."), seconds=5)
    expect(page.locator(".songclip-desk .saved")).to_contain_text("saved at")

    server.kill()
    area.press_sequentially(" And more", delay=20)
    page.wait_for_timeout(1500)
    assert not stored(home, passage).value.english.endswith("And more")
    expect(page.locator(".songclip-desk .saved.late")).to_be_visible(timeout=15_000)
    server.start()
    # The browser finds its way back and tells what the new server cannot know.
    saved = wait_for(home, passage, lambda a: a.value.english.endswith("And more"), seconds=60)
    assert saved.value.english.startswith("w0 ") and saved.status is Status.DRAFT
    named.goto("review", id=str(passage))
    expect(field(page, "english")).to_have_value(saved.value.english)


def test_a_server_restarted_under_an_untouched_page_hears_what_is_typed_then(named, home, server):
    passage = seed(home, PLAIN)[0]
    page = open_desk(named, passage)
    server.kill()
    field(page, "english").press_sequentially("before, ", delay=20)
    server.start()
    field(page, "english").press_sequentially("and after.", delay=20)
    wait_for(home, passage, lambda a: a.value.english == "before, and after.", seconds=60)
    # And the page goes on as if nothing had been.
    expect(page.locator(".songclip-desk .saved")).to_contain_text("saved at", timeout=20_000)
    select(page, 0, 3)
    page.keyboard.press("1")
    expect(page.locator(".songclip-desk .row.chosen .name")).to_have_text("德寿宫")


def test_the_note_of_a_reading_is_typed_without_losing_the_keyboard(named, home):
    passage = seed(home, PLAIN)[0]
    write(home, passage, AnnotationValue(english="b", alternatives=(Alternative("english", "a"),)), who="甲")
    page = open_desk(named, passage)
    note = "as in the note of the Ming edition, next page, a map"
    page.locator('.songclip-desk [data-field="reading-0"]').click()
    page.keyboard.type(note, delay=45)
    saved = wait_for(home, passage, lambda a: a.value.alternatives[0].note == note)
    assert saved.value.modern_chinese == "" and f"id={passage}" in page.url


def test_keys_between_two_passages_decide_nothing(named, home):
    first, second = seed(home, PLAIN, RARE)
    page = open_desk(named, first)
    page.keyboard.press("n")
    page.keyboard.press("Control+Enter")
    page.keyboard.press("1")
    page.wait_for_url(f"**id={second}**")
    expect(page.locator(PASSAGE)).to_contain_text("洪邁")
    page.wait_for_timeout(800)
    assert stored(home, first).revision == 0 and stored(home, second).revision == 0
    page.keyboard.press("Control+Enter")
    wait_for(home, second, lambda a: a.status is Status.APPROVED)


def test_going_on_raises_no_alarm(named, home):
    first, second = seed(home, PLAIN, RARE)
    page = open_desk(named, first)
    page.keyboard.press("n")
    page.wait_for_url(f"**id={second}**")
    page.wait_for_timeout(6_000)
    expect(page.locator(".songclip-desk .saved.late")).to_have_count(0)
    expect(page.locator(".songclip-desk .saved")).to_have_text("")


def test_a_selection_that_ends_on_a_chosen_entitys_border_is_one(named, home):
    passage = seed(home, PLAIN)[0]
    write(home, passage, AnnotationValue(entities=(Entity("e1", "望仙桥", mentions=((4, 7),)),)), who="甲")
    page = open_desk(named, passage)
    page.locator(".songclip-desk .row .name").first.click()
    expect(page.locator(".songclip-desk .desk-grip.end")).to_be_visible()
    select(page, 5, 7)
    page.keyboard.press("6")
    entities = wait_for(home, passage, lambda a: len(a.value.entities) == 2).value.entities
    assert [(e.name, e.kind) for e in entities] == [("望仙桥", "place"), ("仙桥", "other")]
    # And what is selected no longer is not marked either.
    select(page, 0, 3)
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.wait_for_timeout(800)
    assert len(stored(home, passage).value.entities) == 2


def test_going_on_in_the_middle_of_a_word_loses_nothing(named, home):
    first, second = seed(home, PLAIN, RARE)
    page = open_desk(named, first)
    field(page, "english").press_sequentially("Deshou Palace")
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    page.wait_for_url(f"**id={second}**")
    wait_for(home, first, lambda a: a.value.english == "Deshou Palace")
    expect(page.locator(PASSAGE)).to_contain_text("洪邁")
    field(page, "english").press_sequentially("Hong Mai")
    page.get_by_role("link", name="Passages").first.click()
    # Whoever went to another page has left the passage: her revision is closed.
    wait_for(home, second, lambda a: a.value.english == "Hong Mai" and a.sealed)


def test_a_stale_tab_is_refused_shown_the_difference_and_merged_by_choice(named, home, browser):
    passage = seed(home, PLAIN)[0]
    page = open_desk(named, passage)
    field(page, "modern_chinese").fill("甲的译文")
    wait_for(home, passage, lambda a: a.value.modern_chinese == "甲的译文")

    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.add_cookies([{"name": "songclip_who", "value": "%E4%B9%99", "url": named.url}])
    other = type(named)(context.new_page(), named.url)
    theirs = open_desk(other, passage)
    field(theirs, "modern_chinese").fill("乙的译文")
    field(theirs, "search_prompt").fill("德寿宫古画")
    wait_for(home, passage, lambda a: a.value.search_prompt == "德寿宫古画")
    assert stored(home, passage).updated_by == "乙"

    field(page, "modern_chinese").fill("甲的新译文")
    field(page, "english").fill("Deshou Palace")
    expect(page.locator(".songclip-desk .conflict")).to_be_visible()
    assert stored(home, passage).value.modern_chinese == "乙的译文", "nothing is applied silently"
    aside = Annotations(home.open()).unmerged(passage)
    assert [row.value.modern_chinese for row in aside] == ["甲的新译文"]
    rows = page.locator(".songclip-desk .conflict tbody tr")
    expect(rows.filter(has_text="乙的译文")).to_contain_text("甲的新译文")
    expect(page.get_by_role("button", name="1 still to choose")).to_be_disabled()
    rows.filter(has_text="乙的译文").locator("input").first.check()
    page.get_by_role("button", name="Merge as chosen").click()
    merged = wait_for(home, passage, lambda a: a.value.english == "Deshou Palace").value
    assert (merged.modern_chinese, merged.search_prompt) == ("甲的新译文", "德寿宫古画")
    assert Annotations(home.open()).unmerged(passage) == []
    assert [row.who for row in Annotations(home.open()).history(passage)] == ["甲", "乙", "甲"]
    context.close()


def test_undo_after_accepting_everything_and_the_state_comes_back_too(named, home):
    passage = seed(home, PLAIN)[0]
    db = home.open()
    reply = OfflineRules().suggest(Passages(db).get(passage))
    Suggestions(db).add(Passages(db).get(passage), reply)
    suggested = reply.value
    assert suggested
    page = open_desk(named, passage)
    named.see("nobody has confirmed")
    expect(page.locator(".songclip-desk .mark.ghost").first).to_be_visible()
    offered = len(items(suggested, AnnotationValue()))
    expect(page.get_by_role("button", name=f"Accept all ({offered})")).to_be_visible()
    page.keyboard.press("Shift+A")
    taken = wait_for(home, passage, lambda a: a.status is Status.DRAFT)
    assert {entity.name for entity in taken.value.entities} >= {"德寿宫", "望仙桥"} and taken.value.relations
    page.keyboard.press("Control+z")
    back = wait_for(home, passage, lambda a: a.status is Status.SUGGESTED)
    assert back.value == AnnotationValue()
    expect(page.locator(".songclip-desk .row.ghost").first).to_be_visible()
    # One by one: the first accepted, the second refused.
    page.keyboard.press(".")
    page.keyboard.press("a")
    expect(page.get_by_role("button", name=f"Accept the other {offered - 1}")).to_be_visible()
    page.keyboard.press("x")
    value = wait_for(home, passage, lambda a: len(a.value.entities) == 1 and a.value.rejected).value
    assert value.entities[0].name == "德寿宫"
    left = sum(item.state == "undecided" for item in items(suggested, value))
    note = page.locator(".songclip-desk .footer .notice")
    page.keyboard.press("Control+Enter")
    wait_for(home, passage, lambda a: a.status is Status.APPROVED)
    # What she neither accepted nor refused is said, and is a click away.
    expect(note).to_contain_text(f"so not taken: {left}.")
    page.keyboard.press("Control+z")
    wait_for(home, passage, lambda a: a.status is Status.DRAFT)
    expect(note).to_have_count(0)
    page.keyboard.press("Control+Enter")
    note.get_by_role("button", name="Undo").click()
    assert wait_for(home, passage, lambda a: a.status is Status.DRAFT).value == value


def test_vertical_text_is_selected_and_marked_too(named, home):
    passage = seed(home, RARE + PLAIN * 6)[0]
    page = open_desk(named, passage)
    page.keyboard.press("v")
    expect(page.locator(PASSAGE)).to_have_class("songclip-passage vertical")
    select(page, 9, 12)
    page.keyboard.press("2")
    entity = wait_for(home, passage, lambda a: a.value.entities).value.entities[0]
    assert (entity.kind, entity.mentions) == ("person", ((9, 12),))
    page.locator(PASSAGE).focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")  # down is on, in vertical text
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("6")
    second = wait_for(home, passage, lambda a: len(a.value.entities) == 2).value.entities[1]
    assert second.mentions == ((1, 3),)
    named.goto("review", id=str(passage))
    expect(page.locator(PASSAGE)).to_have_class("songclip-passage vertical")


def test_a_border_is_dragged(named, home):
    passage = seed(home, PLAIN)[0]
    write(home, passage, AnnotationValue(entities=(Entity("e1", "望仙", mentions=((4, 6),)),)), who="甲")
    page = open_desk(named, passage)
    page.locator(".songclip-desk .row .name").first.click()
    grip = page.locator(".songclip-desk .desk-grip.end")
    expect(grip).to_be_visible()
    box = grip.bounding_box()
    assert box
    page.mouse.move(box["x"] + 3, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 24, box["y"] + box["height"] / 2, steps=6)
    page.mouse.up()
    entity = wait_for(home, passage, lambda a: a.value.entities[0].mentions == ((4, 7),)).value.entities[0]
    assert entity.name == "望仙桥"


def test_a_relation_is_built_by_picking_and_a_contradiction_is_seen(named, home):
    passage = seed(home, PLAIN)[0]
    entities = (Entity("e1", "德寿宫", mentions=((0, 3),)), Entity("e2", "望仙桥", mentions=((4, 7),)))
    write(home, passage, AnnotationValue(entities=entities), who="甲")
    page = open_desk(named, passage)
    page.locator(".songclip-desk .row .name", has_text="德寿宫").click()
    page.keyboard.press("r")
    page.locator('.songclip-desk [data-field="pick-code"]').select_option("north_of")
    page.locator(".songclip-desk .row .name", has_text="望仙桥").click()
    relation = wait_for(home, passage, lambda a: a.value.relations).value.relations[0]
    assert (relation.subject, relation.code, relation.object) == ("e1", "north_of", "e2")
    expect(page.locator(".songclip-desk svg .node")).to_have_count(2)
    # The other way round as well: by keyboard alone this time.
    page.locator(".songclip-desk .row .name", has_text="望仙桥").click()
    page.keyboard.press("r")
    page.locator(PASSAGE).focus()
    page.keyboard.press("w")
    page.keyboard.press("Enter")
    wait_for(home, passage, lambda a: len(a.value.relations) == 2)
    expect(page.locator(".songclip-desk .space .grave")).to_contain_text("cannot all be true")
    expect(page.locator(".songclip-desk svg .edge.bad")).to_have_count(2)


def test_the_fields_of_a_relation_say_what_is_stored(named, home):
    passage = seed(home, PLAIN)[0]
    spans = {"德寿宫": (0, 3), "望仙桥": (4, 7), "秦太师": (11, 14)}
    entities = tuple(Entity(f"e{n}", name, mentions=(span,)) for n, (name, span) in enumerate(spans.items(), 1))
    value = AnnotationValue(entities=entities, relations=(Relation("e1", "east_of", "e2"),))
    write(home, passage, value, who="甲")
    page = open_desk(named, passage)

    def cell(name):
        return page.locator(f'.songclip-desk [data-field="relation-0-{name}"]')

    expect(cell("object")).to_have_value("e2")
    cell("object").focus()
    cell("object").select_option("秦太师")
    wait_for(home, passage, lambda a: a.value.relations[0].object == "e3")
    cell("code").focus()
    cell("code").select_option("inside")
    wait_for(home, passage, lambda a: a.value.relations[0].code == "inside")
    # What is refused does not stay on the screen as if it were stored.
    cell("distance").fill("x" * 2000)
    named.see("cannot be done")
    expect(cell("distance")).to_have_value("")
    cell("distance").fill("三十")
    wait_for(home, passage, lambda a: a.value.relations[0].distance == "三十")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    wait_for(home, passage, lambda a: a.value.relations[0].distance == "")
    expect(cell("distance")).to_have_value("")


def test_walking_and_deciding_draw_nothing_anew_but_what_has_changed(named, home):
    """Of hundreds of rows and marks one changes with a key; a long passage is as quick as a short one only so."""
    passage = seed(home, PLAIN)[0]
    entities = (Entity("e1", "德寿宫", mentions=((0, 3),)), Entity("e2", "望仙桥", mentions=((4, 7),)))
    write(home, passage, AnnotationValue(entities, (Relation("e1", "east_of", "e2"),)), who="甲")
    db = home.open()
    suggested = AnnotationValue((Entity("e1", "秦太师", kind="person", mentions=((11, 14),)), Entity("e2", "赐第")))
    Suggestions(db).add(Passages(db).get(passage), Reply(suggested, "{}", "local", "m"))
    page = open_desk(named, passage)

    def drawn(script):
        parts = ".row, .related tr, .space .node, .songclip-passage span"
        return page.locator(f".songclip-desk :is({parts})").evaluate_all(f"(found) => found.{script}")

    chosen = page.locator(".songclip-desk .row.chosen .name")
    everything = drawn("map((one) => one.known = true).length")
    page.keyboard.press("w")
    expect(chosen).to_have_text("德寿宫")
    page.keyboard.press("w")
    expect(chosen).to_have_text("望仙桥")
    expect(page.locator(".songclip-desk .node.chosen")).to_have_text("望仙桥")
    page.keyboard.press(".")
    expect(chosen).to_have_text("秦太师")
    assert drawn("filter((one) => one.known).length") == everything == drawn("length")
    page.keyboard.press("a")
    expect(page.locator(".songclip-desk .row.ghost")).to_have_count(1)
    # Its row and its mark are new.
    assert drawn("filter((one) => one.known).length") == everything - 2 == drawn("length") - 2


def test_what_is_typed_of_one_entity_while_another_is_made_is_kept_with_its_own(named, home, server):
    passage = seed(home, PLAIN)[0]
    write(home, passage, AnnotationValue((Entity("e1", "望仙桥", mentions=((4, 7),)),)), who="甲")
    page = open_desk(named, passage)
    note = page.locator('.songclip-desk .inspector [data-field="note"]')
    select(page, 0, 3)
    os.killpg(server.process.pid, signal.SIGSTOP)  # the answer is on its way for as long as it takes
    try:
        page.keyboard.press("1")
        page.locator(".songclip-desk .row .name", has_text="望仙桥").click()
        note.click()
        page.keyboard.type("待考")
    finally:
        os.killpg(server.process.pid, signal.SIGCONT)
    expect(page.locator(".songclip-desk .row", has_text="德寿宫")).to_be_visible()
    page.keyboard.type("，见卷八")
    expect(page.locator(".songclip-desk .row.chosen .name")).to_have_text("望仙桥")
    expect(note).to_have_value("待考，见卷八")
    bridge, palace = wait_for(home, passage, lambda a: a.value.entities[0].note.endswith("卷八")).value.entities
    assert (bridge.name, bridge.note) == ("望仙桥", "待考，见卷八")
    assert (palace.name, palace.note) == ("德寿宫", "")


def test_the_name_is_asked_once_and_kept_by_the_browser(reader, home):
    passage = seed(home, PLAIN)[0]
    page = open_desk(reader, passage)
    page.get_by_label("Name", exact=True).first.fill("洪邁")
    page.get_by_role("button", name="That is me").click()
    reader.settle()
    reader.goto("review", id=str(passage))
    expect(page.get_by_role("button", name="That is me")).to_have_count(0)
    expect(page.get_by_label("Your name")).to_have_value("洪邁")
    field(page, "english").fill("Deshou Palace")
    assert wait_for(home, passage, lambda a: a.value.english).updated_by == "洪邁"


def test_the_filter_is_in_the_address_and_the_queue_follows_it(named, home):
    ids = seed(home, PLAIN, RARE, "杭城之西有湖曰西湖，旧名钱塘湖。")
    reader = named
    reader.goto("review", q="西湖")
    page = reader.page
    expect(page.locator(".songclip-desk .position")).to_have_text("1 of 2")
    expect(page.locator(PASSAGE)).to_contain_text("洪邁")
    page.keyboard.press("n")
    page.wait_for_url(f"**id={ids[2]}**")
    assert "q=" in page.url
    page.locator(".songclip-desk input.jump").fill(str(ids[0]))
    page.locator(".songclip-desk input.jump").press("Enter")
    page.wait_for_url(f"**id={ids[0]}**")
    expect(page.locator(PASSAGE)).to_contain_text("德寿宫")
