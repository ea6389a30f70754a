// SPDX-License-Identifier: MIT
/* The interrupt translation service of a virtual GIC, in miniature: its cache, its creation and its end. */
#include <linux/kvm_host.h>
#include <linux/xarray.h>

#include "vgic.h"

struct vgic_its {
	struct kvm_device *dev;
	struct mutex its_lock;
	struct xarray translation_cache;
	bool enabled;
};

static void vgic_its_invalidate_cache(struct vgic_its *its)
{
	struct kvm *kvm = its->dev->kvm;
	struct vgic_irq *irq;
	unsigned long idx;

	xa_for_each(&its->translation_cache, idx, irq) {
		irq = xa_erase(&its->translation_cache, idx);
		if (irq)
			vgic_put_irq(kvm, irq);
	}
}

bool vgic_has_its(struct kvm *kvm)
{
	struct kvm_device *dev;
	bool found = false;

	mutex_lock(&kvm->lock);
	list_for_each_entry(dev, &kvm->devices, vm_node) {
		if (dev->ops == &kvm_arm_vgic_its_ops) {
			found = true;
			break;
		}
	}
	mutex_unlock(&kvm->lock);

	return found;
}

static int vgic_its_create(struct kvm_device *dev, u32 type)
{
	struct vgic_its *its;

	if (type != KVM_DEV_TYPE_ARM_VGIC_ITS)
		return -ENODEV;

	its = kzalloc(sizeof(*its), GFP_KERNEL_ACCOUNT);
	if (!its)
		return -ENOMEM;

	mutex_init(&its->its_lock);
	xa_init(&its->translation_cache);
	its->dev = dev;
	dev->private = its;

	return 0;
}

static void vgic_its_destroy(struct kvm_device *dev)
{
	struct vgic_its *its = dev->private;

	mutex_lock(&its->its_lock);
	its->enabled = false;
	vgic_its_invalidate_cache(its);
	mutex_unlock(&its->its_lock);

	xa_destroy(&its->translation_cache);
	kfree(its);
	kfree(dev);
}

struct kvm_device_ops kvm_arm_vgic_its_ops = {
	.name = "kvm-arm-vgic-its",
	.create = vgic_its_create,
	.destroy = vgic_its_destroy,
};
