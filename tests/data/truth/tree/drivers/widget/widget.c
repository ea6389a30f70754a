// SPDX-License-Identifier: GPL-2.0
#include <linux/list.h>
#include <linux/slab.h>

struct widget {
	struct list_head node;
	int number;
};

static LIST_HEAD(widgets);
static DEFINE_MUTEX(widgets_lock);

void widget_add(struct widget *widget)
{
	mutex_lock(&widgets_lock);
	list_add(&widget->node, &widgets);
	mutex_unlock(&widgets_lock);
}

int widget_count(int number)
{
	struct widget *widget;
	int count = 0;

	mutex_lock(&widgets_lock);
	list_for_each_entry(widget, &widgets, node)
		count += widget->number == number;
	mutex_unlock(&widgets_lock);
	return count;
}

void widget_remove(struct widget *widget)
{
	mutex_lock(&widgets_lock);
	list_del(&widget->node);
	mutex_unlock(&widgets_lock);
	kfree(widget);
}
