"""`striate zoo`."""

from __future__ import annotations

from striate import zoo


def test_the_list_has_each_network_with_its_numbers_and_its_source(run) -> None:
    status, out, err = run("zoo")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].split() == ["network", "parameters", "MACs", "from"]
    assert [line.split()[0] for line in lines[1:]] == zoo.names()
    assert max(map(len, lines)) <= 100
    vgg16 = next(line for line in lines if line.startswith("vgg16 "))
    assert "138,357,544  15.47 G" in vgg16
    assert "Simonyan & Zisserman 2014" in vgg16


def test_one_network_is_printed_as_it_is(run) -> None:
    assert run("zoo", "vgg16") == (0, zoo.read("vgg16").text, "")


def test_the_case_of_a_name_does_not_matter(run) -> None:
    assert run("zoo", "VGG16") == run("zoo", "vgg16")


def test_an_unknown_network(run) -> None:
    assert run("zoo", "vgg17") == (
        2,
        "",
        "striate: no network of the zoo is called 'vgg17'. Did you mean vgg19 or vgg16? "
        f"It has {', '.join(zoo.names())}\n",
    )


def test_the_table_is_about_all_networks(run) -> None:
    assert run("zoo", "vgg16", "--table") == (
        2,
        "",
        "striate: --table is about all networks. Leave out the name, or --table\n",
    )
